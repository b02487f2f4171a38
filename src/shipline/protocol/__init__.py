"""The job payload and the runner API's messages, as typed values.

The one seam between what decides which job runs (engine, server) and what runs it (runner). The shapes are
GitLab's own, so either side can be replaced by GitLab's. No behaviour belongs here beyond encoding and decoding.
"""
