"""`shipline completion SHELL`: the script that makes a shell complete shipline's commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash:  shipline completion bash > ~/.local/share/bash-completion/completions/shipline
    zsh:   shipline completion zsh > "${fpath[1]}/_shipline"
    fish:  shipline completion fish > ~/.config/fish/completions/shipline.fish
    """
    from click.shell_completion import get_completion_class

    from shipline.cli.program import program

    kind = get_completion_class(shell)
    assert kind is not None, "click completes every shell of the choice"
    click.echo(kind(program, {}, "shipline", "_SHIPLINE_COMPLETE").source())
