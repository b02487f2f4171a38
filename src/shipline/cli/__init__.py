"""The command line: one thin file a command; a room is imported only when its command runs.

A command is a row in `shipline.cli.commands.COMMANDS` and a module with a click command. Its function returns
the exit code (None is 0), lets the rooms' errors pass (they are caught and printed in one place,
`shipline.cli.failures`), and imports rooms inside the function, so that `shipline --help` stays quick.
"""


def main() -> int:
    """Runs the command of `sys.argv`; gives the process's exit code."""
    try:
        from shipline.cli.program import run

        status = run()
        import gc
        import os

        if not gc.isenabled():  # a command that left one large value: taking it apart would be a tenth of the time
            os._exit(status)
        return status
    except KeyboardInterrupt:  # so early that nothing has begun
        return 130
