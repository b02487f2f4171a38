"""Builds a stage's program: what every stage begins with, exports, and echoed commands.

The programs hold secrets (variables), so they travel in streams and files of the job, never in an argument. They
use what POSIX requires of sh and nothing outside it that an image might lack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

GREEN, RESET = "\x1b[32;1m", "\x1b[0;m"


def quote(text: str) -> str:
    """`text` as one word of shell."""
    return f"'{text}'" if "'" not in text else "'" + text.replace("'", "'\\''") + "'"


class Program:
    """Lines of shell, in order. `trace` prints each command as the shell runs it (CI_DEBUG_TRACE)."""

    def __init__(self, *, trace: bool = False) -> None:
        self._lines = ["trap 'exit 1' TERM"]
        if trace:
            self._lines.append("set -o xtrace")
        # bash has pipefail; another shell is asked in a process of its own, since a shell without it may end there
        self._lines += [
            'if [ -n "${BASH_VERSION:-}" ] || (set -o pipefail) 2>/dev/null; then set -o pipefail; fi',
            "set -o errexit; set +o noclobber",
        ]

    def add(self, *lines: str) -> Program:
        self._lines += lines
        return self

    def export(self, variables: Mapping[str, str]) -> Program:
        return self.add(*[f"export {name}={quote(value)}" for name, value in variables.items()])

    def write_files(self, folder: str, files: Mapping[str, str]) -> Program:
        """Writes each text to `folder`/name, byte for byte."""
        for name, content in files.items():
            self.add(f"printf %s {quote(content)} > {quote(f'{folder}/{name}')}")
        return self

    def read_environment(self, path: str) -> Program:
        """Exports the NAME=VALUE lines that an earlier stage wrote to the file at `path`."""
        name = quote(path)
        return self.add(f'if [ -s {name} ]; then while IFS= read -r line; do export "$line"; done < {name}; fi')

    def say(self, text: str) -> Program:
        return self.add(f"printf '%s\\n' {quote(text)}")

    def commands(self, commands: Iterable[str], *, check: bool = False, sections: bool = False) -> Program:
        """Each command after a green line that shows it.

        `check` ends the program after any command that failed, also where errexit doesn't see it. `sections` makes
        what a command of several lines prints a section of the log that a page folds."""
        for number, command in enumerate(commands):
            command = command.strip()
            first, *more = command.split("\n")
            section = f"section_script_step_{number}" if more and sections else ""
            if section:
                self._marker("start", f"{section}[hide_duration=true,collapsed=true]")
            shown = f"{first.rstrip()} # collapsed multi-line command" if more else first
            self.say(f"{GREEN}$ {shown}{RESET}").add(command if command else ":")
            if check:
                self.add("_status=$?; if [ $_status -ne 0 ]; then exit $_status; fi")
            if section:
                self._marker("end", section)
        return self

    def _marker(self, kind: str, section: str) -> None:
        self.add(f"printf 'section_{kind}:%s:{section}\\r\\033[0K' \"$(date +%s)\"")

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"
