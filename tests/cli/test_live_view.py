"""What is to be seen in a terminal while `shipline run` works."""

import re
import signal
import termios

import pytest
from tests.cli.conftest import SHIPLINE
from tests.cli.terminal import Terminal

THREE = """
stages: [build, test]
compile: {stage: build, script: ['echo compiling; while [ ! -e GO ]; do sleep 0.05; done']}
unit: {stage: test, script: [echo tested]}
broken: {stage: test, script: [echo before it broke, exit 3], after_script: [echo cleaned]}
"""


@pytest.fixture
def terminal(repository):
    """Opens terminals that run `shipline` in the repository."""
    opened = []

    def open_terminal(*arguments: str, **more) -> Terminal:
        environment = repository.environment | more.pop("environment", {})
        opened.append(Terminal([str(SHIPLINE), *arguments], repository.directory, environment, **more))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def waiting(go, jobs: str) -> str:
    """The configuration, with jobs that wait for the file `go`."""
    return jobs.replace("GO", str(go))


def test_a_line_a_job_that_is_kept_up_to_date(repository, terminal, tmp_path):
    repository.commit("One", ci=waiting(tmp_path / "go", THREE))
    view = terminal("run")
    lines = view.line("compile", "running", "compiling")
    assert re.match(r'Pipeline 1: main \w{8} "One" +logs: shipline logs -f JOB', lines[0])
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["build", "compile", "running"],
        ["test", "unit", "created"],
        ["test", "broken", "created"],
    ]
    assert lines[4] == "0 of 3 done, 1 running"
    (tmp_path / "go").touch()
    assert view.end() == 1
    text = "\n".join(view.everything())
    assert "0 of 3 done" not in text and "logs: shipline" not in text
    assert text.index("broken failed: the script failed (exit code 3)") < text.index("  build  compile  success")
    assert "  | before it broke" in text and "cleaned" not in text
    assert "  To run it again: shipline retry broken --pipeline 1" in text


def test_the_log_of_a_job_that_is_followed_is_above_the_table(repository, terminal, tmp_path):
    repository.commit(ci=waiting(tmp_path / "go", THREE))
    view = terminal("run", "--follow", "compile", "--follow", "unit")
    lines = view.line("compile | compiling")
    assert lines[-1].endswith("1 running")
    (tmp_path / "go").touch()
    view.end()
    shown = view.everything()
    assert shown.index("compile | compiling") < shown.index("unit | tested")
    assert "broken | before it broke" not in shown


def test_the_only_job_is_followed(repository, terminal):
    repository.commit(ci="alone: {script: [echo hello, 'printf unfinished']}\n")
    view = terminal("run")
    assert view.end() == 0
    assert {"hello", "unfinished", "Job succeeded"} <= set(view.everything())


def test_a_terminal_of_twenty_columns(repository, terminal, tmp_path):
    repository.commit(ci=waiting(tmp_path / "go", THREE).replace("compile:", "compile-everything-there-is:"))
    view = terminal("run", columns=20, lines=10)
    lines = view.line("compile…", "running")
    assert all(len(line) < 20 for line in lines)
    (tmp_path / "go").touch()
    assert view.end() == 1


def test_more_jobs_than_lines(repository, terminal, tmp_path):
    jobs = "".join(f"job {n}: {{stage: build, script: ['exit {n // 39}']}}\n" for n in range(40))
    last = "last: {stage: test, when: always, script: ['while [ ! -e GO ]; do sleep 0.1; done']}"
    repository.commit(ci=waiting(tmp_path / "go", f"stages: [build, test]\n{jobs}{last}\n"))
    view = terminal("run", lines=10)
    lines = view.line("last", "running")
    assert len(lines) == 9
    assert any(line.startswith("build  job 39  failed") for line in lines)
    assert lines[-2:] == ["and 35 success", "40 of 41 done, 1 failed, 1 running"]
    (tmp_path / "go").touch()
    view.end()
    assert any("40 success (all: shipline status 1)" in line for line in view.everything())


def test_another_size_of_the_terminal(repository, terminal, tmp_path):
    repository.commit("A title that is rather long", ci=waiting(tmp_path / "go", THREE))
    view = terminal("run", columns=100)
    view.line("compile", "running")
    view.resize(40, 20)
    lines = view.until(lambda shown: all(len(line) < 40 for line in shown) and len(shown) == 5)
    assert [line.split()[1] for line in lines[1:4]] == ["compile", "unit", "broken"]
    view.resize(120, 4)
    assert view.until(lambda shown: len(shown) == 3)[-1] == "0 of 3 done, 1 running"
    (tmp_path / "go").touch()
    assert view.end() == 1


def test_names_of_any_script_and_what_a_terminal_would_act_on(repository, terminal, tmp_path):
    ci = """
"日本語 🚀": {script: ['while [ ! -e GO ]; do sleep 0.05; done']}
"bell\\a and \\e[31mred": {script: [echo x]}
long-XXX: {script: [echo x]}
"""
    repository.commit(ci=waiting(tmp_path / "go", ci.replace("XXX", "x" * 200)))
    view = terminal("run", columns=60)
    lines = view.line("日", "running")
    assert any("bell? and ?[31mred" in line for line in lines) and all(len(line) < 60 for line in lines)
    (tmp_path / "go").touch()
    assert view.end() == 0
    assert b"\a" not in view.received


def test_no_colour_where_none_is_wanted(repository, terminal):
    repository.commit(ci=THREE.replace("while [ ! -e GO ]; do sleep 0.05; done", "true"))
    view = terminal("run", environment={"NO_COLOR": "1"})
    view.end()
    assert not re.search(rb"\x1b\[[0-9;]*m", view.received)
    plain = terminal("run", term="dumb")
    plain.end()
    assert b"\x1b" not in plain.received and b"unit    | tested" in plain.received


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_terminal_is_as_it_was_however_it_ends(repository, terminal, tmp_path, number):
    repository.commit(ci=waiting(tmp_path / "go", THREE))
    view = terminal("run")
    view.line("compile", "running")
    view.send(number)
    code = view.end()
    assert code == (130 if number != signal.SIGKILL else -signal.SIGKILL)
    assert not view.screen.cursor.hidden and view.screen.cursor.x == 0
    assert b"?1049" not in view.received and b"?25l" not in view.received
    if number != signal.SIGKILL:
        assert any("compile" in line and "canceled" in line for line in view.everything())


def test_the_settings_of_the_terminal_are_never_changed(repository, terminal, tmp_path):
    repository.commit(ci=waiting(tmp_path / "go", THREE))
    view = terminal("run")
    view.line("compile", "running")
    assert termios.tcgetattr(view.descriptor) == view.settings
    (tmp_path / "go").touch()
    view.end()


def test_ctrl_c_that_is_typed(repository, terminal, tmp_path):
    repository.commit(ci=waiting(tmp_path / "go", THREE))
    view = terminal("run")
    view.line("compile", "running")
    view.type("\x03")
    assert view.end() == 130


def test_output_that_would_disturb_the_terminal(repository, terminal):
    """Progress bars, a cleared screen, titles, bells, the other character set."""
    ci = r"""
noise:
  script:
    - "printf 'progress 1%%\\rprogress 100%%\\n'"
    - "printf '\\033[2J\\033[H\\033]0;title\\a\\033[31mred\\n'"
    - "printf 'a\\016b\\007c\\n'"
    - "printf '\\377\\376 bytes\\n'"
"""
    repository.commit(ci=ci)
    view = terminal("run", "--logs")
    view.end()
    lines = view.everything()
    assert "noise | progress 100%" in lines and "noise | red" in lines and "noise | abc" in lines
    assert "noise | \ufffd\ufffd bytes" in lines
    assert not {b"\a", b"\x0e"} & {bytes([byte]) for byte in view.received}
    assert b"\x1b[31mred\x1b[0m" in view.received and b"\x1b[2J" not in view.received


def test_logs_of_a_running_job_from_another_terminal(repository, terminal, tmp_path):
    repository.commit(ci=waiting(tmp_path / "go", THREE))
    view = terminal("run")
    view.line("compile", "running")
    other = terminal("logs", "-f", "compile")
    other.line("compiling")
    (tmp_path / "go").touch()
    assert other.end() == 0
    assert any("Job succeeded" in line for line in other.everything())
    view.end()
