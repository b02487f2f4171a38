"""From the text of a `.gitlab-ci.yml` to one compiled pipeline.

Pure: text and facts go in, a value or positioned errors come out. Nothing here touches the network, a clock,
the environment or a process; what has to be read (includes) comes through a loader that the caller gives.
"""
