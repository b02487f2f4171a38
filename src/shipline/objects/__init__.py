"""Where large things are kept by name: a folder of this machine, or a bucket of S3, Google or Azure.

Used for caches by the runner, for artifacts and logs by the server. Knows names and bytes; what they mean, and how
long they are kept, is for those who use it. An object is there whole or not at all, whoever writes at the same time
and whenever a process is killed.
"""

from shipline.objects.objects import Fetched, Objects, ObjectsError, Stored

__all__ = ["Fetched", "Objects", "ObjectsError", "Stored"]
