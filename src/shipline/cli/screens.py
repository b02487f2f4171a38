"""Which of the three ways of showing jobs it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipline.cli.screen import Screen, View


def chosen_screen(view: View) -> Screen:
    """The screen for standard output as it is."""
    from shipline.cli.output import Output

    output = Output()
    if view.json:
        from shipline.cli.event_screen import EventScreen

        return EventScreen(output)
    colour = output.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if output.is_terminal and not (view.quiet or view.logs) and os.environ.get("TERM", "dumb") != "dumb":
        from shipline.cli.live_screen import LiveScreen

        return LiveScreen(output, view.follow, colour)
    from shipline.cli.line_screen import LineScreen

    return LineScreen(output, view, colour)
