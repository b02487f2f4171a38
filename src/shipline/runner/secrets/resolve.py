"""From the `secrets` of a payload to the variables of its job."""

from __future__ import annotations

from shipline.protocol.payload import Secret, Variable
from shipline.runner.errors import JobFailed
from shipline.runner.trace.trace import Trace
from shipline.runner.variables import Variables

SHORTEST_LINE = 8
"""Characters of a line, in a secret of several lines, that is hidden by itself, too."""


async def resolve(secrets: dict[str, Secret], variables: Variables, trace: Trace) -> list[Variable]:
    """Asks for each secret; the log will not show a value from then on. Raises JobFailed."""
    if not secrets:
        return []
    trace.open_section("resolve_secrets", "Resolving secrets")
    found = []
    for name, secret in secrets.items():
        trace.line(f'Resolving secret "{name}"...')
        if secret.vault is None:
            raise JobFailed(
                f'secret "{name}": this runner asks only Vault for secrets', "runner_configuration_error"
            )
        trace.line('Using "vault" secret resolver...')
        from shipline.runner.secrets.vault import read

        value = await read(name, secret.vault, variables)
        trace.hide([value, *(line for line in value.splitlines() if len(line) >= SHORTEST_LINE)])
        found.append(Variable(name, value, file=secret.file is not False, masked=True, raw=True))
    return found
