"""`python -m shipline.cluster --name NAME`: the daemon of one cluster, in the foreground."""

from __future__ import annotations

import argparse
import sys


def _run() -> int:
    parser = argparse.ArgumentParser(prog="python -m shipline.cluster", description="The daemon of a cluster.")
    parser.add_argument("--name", default="default", help="the cluster's name")
    parser.add_argument("--ready", type=int, default=None, help="a file descriptor to say `ready` through")
    arguments = parser.parse_args()
    from shipline.cluster.daemon import main

    return main(arguments.name, arguments.ready)


sys.exit(_run())
