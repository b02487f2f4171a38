"""The command line: one thin file a command; a room is imported only when its command runs."""
