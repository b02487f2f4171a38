"""The runner API as GitLab's server speaks it: GitLab's official runner can serve this server."""

from shipline.server.runner_api import files, jobs, registration, request

ENDPOINTS = [*request.ENDPOINTS, *jobs.ENDPOINTS, *files.ENDPOINTS, *registration.ENDPOINTS]
