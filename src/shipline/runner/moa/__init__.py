"""Moa, GitLab's language of `${{ ... }}`: what a job's inputs and the steps of `run:` are written in.

Texts in, values out. An expression is read into a tree and the tree is walked; nothing of it is ever program code.
Values are those of JSON: None, bool, int or float, str, list, dict.
"""
