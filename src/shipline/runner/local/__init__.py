"""Runs jobs that name no image as processes here: an isolated copy of the commit, a clean environment."""
