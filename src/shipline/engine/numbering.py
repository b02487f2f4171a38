"""A pipeline's number in its project (`iid`), which its rules may ask for before the pipeline is there.

The number is taken before the configuration is read, so that rules and running jobs see the same one even when two
pipelines are made at once. Where no pipeline comes of it, it is given back, unless a later one is taken already:
then it stays unused, as in GitLab.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shipline.engine.possessions import Numbering
from shipline.engine.store import Store

PIPELINES = "pipelines"


def upcoming(store: Store, project_id: int) -> int:
    """The number that the project's next pipeline gets, if nobody comes before."""
    known = store.possession(project_id, Numbering, PIPELINES)
    return max(known.newest if known is not None else 0, store.newest_iid(project_id)) + 1


def taken(store: Store, project_id: int) -> int:
    """The next number, which no other pipeline of the project gets from now on."""
    with store.transaction():
        number = upcoming(store, project_id)
        store.possess(project_id, Numbering(PIPELINES, number))
    return number


@contextmanager
def reserved(store: Store, project_id: int) -> Iterator[int]:
    """A number for the pipeline that is made inside; given back when an exception ends it, unless a later one is
    taken. One that a pipeline has got meanwhile stays its own."""
    number = taken(store, project_id)
    try:
        yield number
    except BaseException:
        with store.transaction():
            if upcoming(store, project_id) == number + 1:
                store.possess(project_id, Numbering(PIPELINES, number - 1))
        raise
