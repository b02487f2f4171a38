"""`shipline serve`: a small CI/CD server that speaks GitLab's own interfaces.

Git over HTTP, the runner API, the REST API v4, and what they need kept: users, tokens, projects, runners,
variables, schedules. What a pipeline does is decided in `shipline.engine`; this room only lets people, programs and
runners at it. One process and SQLite by default; several processes on one PostgreSQL where one machine is outgrown.
"""
