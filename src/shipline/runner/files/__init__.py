"""Files that leave a job's project folder or come into it: artifacts and caches.

`members` says what an executor gives (list, read, write), `selection` which files are meant, `archive` and
`extraction` turn them into an archive and back. Nothing here knows where a job runs, or who keeps the archives.
"""
