"""`sessionkit completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      sessionkit completion bash >> ~/.bashrc
      sessionkit completion zsh  > ~/.zfunc/_sessionkit
      sessionkit completion fish > ~/.config/fish/completions/sessionkit.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "sessionkit", "_SESSIONKIT_COMPLETE").source())
