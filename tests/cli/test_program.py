"""What `shipline` itself answers, before any command runs."""

import subprocess
import sys

import pytest

from shipline.cli.commands import COMMANDS


def test_version(shell):
    assert shell.shipline("--version") == "shipline 0.1.0\n"


def test_help_lists_every_command_with_a_line(shell):
    text = shell.shipline("--help", COLUMNS="120")
    for rows in COMMANDS.values():
        for row in rows:
            assert row.help in text


def test_an_unknown_command_is_met_with_a_suggestion(shell):
    assert "No command 'rnu'. Did you mean 'run'?" in shell.shipline("rnu", code=2)


@pytest.mark.parametrize("words", [(), ("variable",)])
def test_no_command_is_answered_with_the_help_alone(shell, words):
    assert shell.shipline(*words, code=2) == shell.shipline(*words, "--help")


def test_an_unknown_option_is_wrong_usage(shell):
    assert "--colour" in shell.shipline("--colour", code=2)


def test_completion_knows_the_commands(shell):
    assert "_SHIPLINE_COMPLETE" in shell.shipline("completion", "bash")
    words = shell.shipline(_SHIPLINE_COMPLETE="bash_complete", COMP_WORDS="shipline pl", COMP_CWORD="1")
    assert words.split() == ["plain,play"]


def test_starting_up_imports_no_room():
    """What `shipline --version` pays: click and the table, nothing else."""
    code = "import sys, shipline.cli.program; print(*sys.modules)"
    modules = set(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout.split())
    heavy = {"asyncio", "msgspec", "yaml", "aiohttp", "sqlite3", "cryptography"}
    rooms = {f"shipline.{room}" for room in ("language", "engine", "runner", "cluster", "images", "protocol")}
    assert not modules & (heavy | rooms)
