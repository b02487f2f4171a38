"""The API server of the embedded cluster: every object's truth, and the one door to it.

`machinery.Api` is that truth in process: controllers, the kubelet and the HTTP layer all call the same
methods and so meet the same rules. `resources` says what is served, `streams` what the node has to offer for
exec, attach, port-forward and logs. What an object causes (pods started, replicas made) lives elsewhere.
"""
