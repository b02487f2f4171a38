"""Secrets that a job gets from a store when it starts: one module a kind of store; a job run calls `resolve`.

Values become masked variables, in files unless the job wants them as they are. What goes wrong is said without a
value or a token in it.
"""

from shipline.runner.secrets.resolve import resolve

__all__ = ["resolve"]
