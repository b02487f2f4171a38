"""The command line: one thin file a command; a room is imported only when its command runs.

A command is a row in `shipline.cli.commands.COMMANDS` and a module with a click command. Its function returns
the exit code (None is 0), lets the rooms' errors pass (they are caught and printed in one place,
`shipline.cli.failures`), and imports rooms inside the function, so that `shipline --help` stays quick.
"""

import gc
import os

ALLOCATIONS = 200_000
"""New objects between two looks for garbage: what a command imports is none, and looking for it would be a fifth of
the time of a short one."""


def main() -> int:
    """Runs the command of `sys.argv` and ends the process with its exit code, at once: all output is written, and
    taking apart what is left in memory would be a tenth of the time."""
    gc.set_threshold(ALLOCATIONS)
    try:
        from shipline.cli.interrupts import note_interrupts

        note_interrupts()
        from shipline.cli.program import run

        os._exit(run())
    except KeyboardInterrupt:  # so early that nothing has begun
        return 130
