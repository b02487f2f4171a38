"""A server's instance with all that acts on it by itself."""

from __future__ import annotations

from shipline.engine.publishing import Publishing
from shipline.server.accepting import merge_when_succeeded
from shipline.server.downstream import Downstream
from shipline.server.instance import Instance
from shipline.server.publisher import ServerPublisher
from shipline.server.settings import Settings


def open_instance(settings: Settings) -> Instance:
    """Opens everything, in the thread of the event loop. Raises ServerError."""
    instance = Instance(settings)
    instance.publisher = ServerPublisher(instance)
    instance.pipelines.publishing = Publishing(instance.store, instance.publisher)
    downstream = instance.downstream = Downstream(instance)
    instance.handout.cross_needed = downstream.cross_needed
    merge_when_succeeded(instance)
    return instance
