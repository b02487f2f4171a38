"""The numbers of the channels between a client and a process: 1 and 2 are its output and errors."""

STDIN, STATUS, RESIZE = 0, 3, 4
CLOSE = 255
"""The channel that its one byte names has ended."""
