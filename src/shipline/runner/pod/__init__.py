"""The `kubernetes` executor: a pod per job, one stream per pod, everything by watch.

executor   a job's life in the cluster
spec       the pod's text: pure
creation   the pod and its Secret: made, and taken away
carried    the repositories of this machine that go into the pod
agent      the small shell programs inside the pod, and what they say to each other
session    the one stream to the agent: scripts in, log and exit statuses out, resumed at a byte
states     what a pod's status means for the job: pure
watcher    the pod as it changes
"""
