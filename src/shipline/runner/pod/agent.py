"""The shell programs inside a job's pod. They need sh and nothing that both coreutils and busybox lack.

Containers `build` and `helper` each run a *loop* as their main process: it waits on a FIFO for `run N`, starts the
stage N at most once (numbers only grow), and lets its output, followed by a mark with the exit status, go through
one pipe to the end of one log file. The mark is written by the stage's own pipe, so it comes after all of the
script's output and doesn't wait for a child left in the background. `stop` and `kill` signal every process of the
container.

The *agent* runs in `helper` by exec, as often as the connection needs: it takes frames on its input (a line, then
as many blocks as the line says), and prints the log from a given byte on. It may die at any time; the loops don't
notice.

The log is a file that processes never see as such: what they write to is a pipe, since a script that opens
/dev/stderr anew would otherwise truncate the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

SCRIPT_BLOCK = 512
ARCHIVE_BLOCK = 1 << 16
MARK = "\x1e"

# $$ would be taken by Kubernetes, which expands a container's command
LOOP = r"""
d={scripts} l={log} k={key} me={me}
trap 'exit 0' TERM INT
(umask 0; for f in {fifos}; do [ -p "$d/$f" ] || mkfifo -m 666 "$d/$f" 2>/dev/null; done; : >> "$l")
while [ ! -p "$d/$me" ]; do sleep 0.1 2>/dev/null || sleep 1 2>/dev/null; done
{hold}exec 3<>"$d/$me"
{umask}s=sh; if command -v bash >/dev/null 2>&1; then s=bash; fi
last=0
while read -r verb n <&3; do
  case $verb in
  run)
    [ "$n" -gt "$last" ] || continue
    last=$n
    {{
      (trap : TERM; "$s" "$d/$n.sh" </dev/null; printf '\036%s %s %s\n' "$k" "$n" "$?") 2>&1 |
        (trap '' TERM; exec cat) >> "$l"
    }} 3>&- {close}&
    ;;
  stop) kill -TERM -1 2>/dev/null ;;
  kill) kill -KILL -1 2>/dev/null; printf '\036%s %s 137\n' "$k" "$n" >> "$l" ;;
  esac
done
"""

AGENT = r"""
d=$1 l=$2
umask 0
while [ ! -p "$d/helper" ]; do sleep 0.1 2>/dev/null || sleep 1; done
tail -c "+$3" -f "$l" &
t=$!
while read -r verb name count; do
  case $verb in
  put) dd bs=512 count="$count" iflag=fullblock of="$d/$name.$$" 2>/dev/null && mv "$d/$name.$$" "$d/$name" ;;
  tar) mkdir -p "$name" && dd bs=65536 count="$count" iflag=fullblock 2>/dev/null | tar -xf - -C "$name" ;;
  *) printf '%s %s\n' "$verb" "$count" > "$d/$name" ;;
  esac
done
kill $t
"""


def loop(container: str, scripts: str, log: str, key: str) -> list[str]:
    """The main command of `build` or `helper`. `key` tells our marks from output; it is no secret."""
    helper = container == "helper"
    text = LOOP.format(
        scripts=scripts,
        log=log,
        key=key,
        me=container,
        fifos="build helper" if helper else container,
        hold='exec 4<>"$d/build"\n' if helper else "",  # so that an order to build waits for it, and is never lost
        close="4>&- " if helper else "",
        umask="umask 0\n" if helper else "",  # what helper writes, a build of any user may change
    )
    return ["sh", "-c", text.strip()]


def agent(scripts: str, log: str, offset: int) -> list[str]:
    """The command that is exec'd in `helper`; the log is printed from byte `offset` on."""
    return ["sh", "-c", AGENT.strip(), "agent", scripts, log, str(offset + 1)]


def put(number: int, script: str) -> bytes:
    """The frame that stores stage `number`'s script. Filled up with empty lines, which no shell minds."""
    data = script.encode(errors="surrogateescape")
    blocks = -(-len(data) // SCRIPT_BLOCK)
    return f"put {number}.sh {blocks}\n".encode() + data.ljust(blocks * SCRIPT_BLOCK, b"\n")


def order(verb: str, container: str, number: int) -> bytes:
    """The frame that tells a container's loop to `run`, `stop` or `kill` a stage."""
    return f"{verb} {container} {number}\n".encode()


def unpack(archive: Path, folder: str) -> Iterator[bytes]:
    """The frames, in parts, that unpack the tar file `archive` into `folder`."""
    size = archive.stat().st_size
    blocks = -(-size // ARCHIVE_BLOCK)
    yield f"tar {folder} {blocks}\n".encode()
    with archive.open("rb") as file:
        while part := file.read(ARCHIVE_BLOCK * 4):
            yield part
    yield bytes(blocks * ARCHIVE_BLOCK - size)


class LogReader:
    """Splits the log into output and marks, wherever its chunks end."""

    def __init__(self, key: str) -> None:
        self._begin = f"{MARK}{key} ".encode()
        self._kept = b""

    def feed(self, data: bytes) -> Iterator[bytes | tuple[int, int]]:
        """Output as bytes, and (stage number, exit status) for each mark, in order."""
        data = self._kept + data
        self._kept = b""
        while (at := data.find(self._begin)) >= 0:
            if at:
                yield data[:at]
            data = data[at:]
            line, end, rest = data.partition(b"\n")
            if not end:
                self._kept = data
                return
            number, status = line[len(self._begin) :].split()
            yield int(number), int(status)
            data = rest
        at = data.rfind(MARK.encode(), max(0, len(data) - len(self._begin)))
        if at >= 0 and self._begin.startswith(data[at:]):
            self._kept, data = data[at:], data[:at]
        if data:
            yield data
