"""What the API server asks of the node: the far ends of exec, attach, port-forward and logs.

The kubelet offers one `NodeStreams`. All methods may be called from many requests at once. An impossible
request (no such container, not running) raises ApiError before anything is streamed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Protocol

STDOUT = 1
STDERR = 2


class ContainerStream(Protocol):
    """A running exec or an attached container.

    Life: `write` and `resize` any number of times, `close_stdin` once, while one task iterates `output`
    to its end; then `exit_code`; `close` at last, always, also after an error or when the client has gone.
    """

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Chunks as (STDOUT or STDERR, bytes) until the process ends; with a TTY all is STDOUT."""
        ...

    async def write(self, data: bytes) -> None:
        """Standard input; waits while the process doesn't read. Ignored after the process has ended."""
        ...

    async def close_stdin(self) -> None:
        """End of standard input."""
        ...

    async def resize(self, width: int, height: int) -> None:
        """The terminal's size in characters."""
        ...

    async def exit_code(self) -> int:
        """The process's exit status, once `output` has ended. An attach answers 0 after a detach."""
        ...

    async def close(self) -> None:
        """Let go of it. The process of an exec may go on, as in Kubernetes."""
        ...


class ByteStream(Protocol):
    """A connection to a port of a pod."""

    async def read(self) -> bytes:
        """The next bytes; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send; ConnectionError when the other side has gone."""
        ...

    async def close_write(self) -> None:
        """End of what this side sends."""
        ...

    async def close(self) -> None:
        """Close both directions."""
        ...


class NodeStreams(Protocol):
    """The node's side. `pod` is the Pod object; `container` names one of its containers of any sort."""

    async def exec(
        self, pod: dict[str, Any], container: str, command: Sequence[str], *, tty: bool, stdin: bool
    ) -> ContainerStream:
        """Start a process in a running container. A command that cannot be started raises ApiError 500
        whose message is the runtime's."""
        ...

    async def attach(self, pod: dict[str, Any], container: str, *, tty: bool, stdin: bool) -> ContainerStream:
        """Join the container's main process."""
        ...

    async def portforward(self, pod: dict[str, Any], port: int) -> ByteStream:
        """Connect to `port` in the pod's network namespace; ConnectionError when nothing listens."""
        ...

    async def logs(
        self,
        pod: dict[str, Any],
        container: str,
        *,
        follow: bool = False,
        previous: bool = False,
        since: datetime | None = None,
        tail: int | None = None,
        limit_bytes: int | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[bytes]:
        """The container's output as written, in chunks. `since` is aware (UTC); `timestamps` puts an RFC 3339
        time with nanoseconds and a space before each line. `previous` reads the run before the last restart.
        With `follow` it ends when the container does."""
        ...
