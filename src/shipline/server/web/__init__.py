"""The pages for people: HTML that the server writes, at GitLab's addresses.

A page asks the REST API's own endpoints in the name of who is signed in, so it shows and does what that user may
see and do there, and nothing else.
"""
