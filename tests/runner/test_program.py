"""Stage programs, run by the shells that images have."""

import shutil
import subprocess

import pytest

from shipline.runner.script.text import Program, quote

SHELLS = {"bash": ["bash"], "dash": ["dash"], "busybox": ["busybox", "sh"]}


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path):
    command = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is missing: apt-get install {command[0]}")

    def run(program):
        path = tmp_path / "stage.sh"
        path.write_text(program.text())
        done = subprocess.run([*command, str(path)], stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode, done.stdout.decode()

    return run


def test_commands_are_shown_before_they_run(shell):
    status, output = shell(Program().commands(["echo one", "echo two\necho three"]))
    assert output == (
        "\x1b[32;1m$ echo one\x1b[0;m\none\n\x1b[32;1m$ echo two # collapsed multi-line "
        "command\x1b[0;m\ntwo\nthree\n"
    )
    assert status == 0


def test_the_first_failure_ends_the_program_with_its_status(shell):
    status, output = shell(Program().commands(["(exit 42)", "echo not this"]))
    assert status == 42
    assert "\nnot this" not in output


def test_values_arrive_as_they_are(shell):
    values = {"A": 'it\'s $HOME `id` \\n "q"', "B": "two\nlines\n", "C": "", "D": "ünï – 🎉"}
    program = Program().export(values)
    for name in values:
        program.add(f'printf "[%s]" "${name}"')
    assert shell(program)[1] == "".join(f"[{value}]" for value in values.values())


def test_files_are_written_byte_for_byte(shell, tmp_path):
    shell(Program().write_files(str(tmp_path), {"KEY": "no newline at the end $X 'q'"}))
    assert (tmp_path / "KEY").read_text() == "no newline at the end $X 'q'"


def test_an_earlier_stage_can_leave_variables(shell, tmp_path):
    (tmp_path / "env").write_text("LEFT=some thing $HOME\nOTHER=2\n")
    program = Program().read_environment(str(tmp_path / "env")).add('echo "$LEFT/$OTHER"')
    assert shell(program)[1] == "some thing $HOME/2\n"


def test_each_command_can_be_checked_where_errexit_does_not_look(shell):
    status, _ = shell(Program().commands(["set +e\nfalse", "true"], check=True))
    assert status == 1


def test_commands_of_several_lines_can_be_sections_of_the_log(shell):
    _, output = shell(Program().commands(["echo one", "echo two\necho three"], sections=True))
    assert output.count("section_start:") == 1
    assert ":section_script_step_1[hide_duration=true,collapsed=true]\r\x1b[0K\x1b[32;1m$ echo two #" in output
    assert output.endswith(":section_script_step_1\r\x1b[0K")


def test_debug_trace_shows_what_the_shell_runs():
    done = subprocess.run(["bash", "-c", Program(trace=True).add("echo hi").text()], capture_output=True, text=True)
    assert "+ echo hi" in done.stderr


def test_pipes_fail_in_bash_when_a_part_fails():
    assert subprocess.run(["bash", "-c", Program().add("false | cat").text()]).returncode == 1


def test_quote():
    assert quote("it's") == "'it'\\''s'"
