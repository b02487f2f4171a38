"""A job's log: masked, cut, kept, and sent to the coordinator while the job runs.

output -> Masker -> Text (UTF-8, time stamps) -> Spool (limit) -> Sender -> coordinator
"""
