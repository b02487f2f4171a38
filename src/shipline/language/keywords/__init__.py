"""What each keyword may hold: one module a family, each function from an Entry to the value's normal form.

Nothing here decides what a pipeline does; it says what is written, and whether GitLab would take it.
"""
