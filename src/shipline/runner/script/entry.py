"""The program with which a person enters a job: a shell that has the job's variables and files, in its folder.

The variables come from the text of the job's own stages, which is where the job is, up to the line `BEGINS`: they
travel in no argument. It is sh, and reads with the shell's own means what an image may lack a program for.
"""

from __future__ import annotations

BEGINS = "# what follows is the job's own"
"""Stands in the program of a stage between what makes its variables and the job's commands."""

ENTRY = (
    r"""
scripts=$1 project=$2 name=$3 term=$4
shift 4
prologue=
for file in "$scripts"/*.sh; do
  text= found=
  while IFS= read -r line || [ -n "$line" ]; do
    if [ "$line" = "@BEGINS@" ]; then found=yes; break; fi
    text="$text$line
"
  done 2>/dev/null < "$file"
  if [ -n "$found" ]; then prologue=$text; break; fi
done
if [ -z "$prologue" ]; then echo "The job's script had not begun: its variables are not set." >&2; fi
eval "$prologue"
{ set +x; } 2>/dev/null
set +e
(set +o pipefail) 2>/dev/null && set +o pipefail
trap - TERM
cd "$project" 2>/dev/null || cd / || exit
unset scripts project prologue file text found line
export TERM="$term"
if [ $# -gt 0 ]; then exec "$@"; fi
if command -v bash >/dev/null 2>&1; then
  export PS1="[$name] \\w\\$ "
  if [ -t 0 ]; then exec bash --noprofile --norc -i; fi
  exec bash --noprofile --norc
fi
export PS1="[$name] $ "
if [ -t 0 ]; then exec sh -i; fi
exec sh
"""
).replace("@BEGINS@", BEGINS)


def entry(scripts: str, project: str, name: str, term: str, command: tuple[str, ...]) -> list[str]:
    """The arguments after a shell's name: `-c`, the program, and what it is told. `command` is run instead of a
    shell where there is one."""
    label = "".join(character for character in name if character.isprintable() and character not in "\\$`")
    return ["-c", ENTRY.strip(), "shipline", scripts, project, label, term, *command]
