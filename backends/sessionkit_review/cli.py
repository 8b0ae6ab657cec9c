"""`sessionkit review`: commands of this backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import sessionkit
from sessionkit.cli.output import as_file
from sessionkit_review.session import ReviewSession
from sessionkit_review.stubs import stubs as stubs_of


@click.group()
def review() -> None:
    """Commands for review servers (ftrack)."""


@review.command()
@click.argument("profile", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False), default="-", help="The file to write.")
def stubs(profile: str | None, output: str) -> None:
    """Write types of a server's entities for editors and type checkers.

    PROFILE is one of sessions.yaml; without it the server is the one in $FTRACK_SERVER.

    \b
    Examples:
      sessionkit review stubs studio --output studio.pyi
      sessionkit review stubs > typings/studio.pyi
    """
    session: Any = sessionkit.connect(profile) if profile else ReviewSession()
    with session:
        version = str(session.server_information.get("schema_hash") or "")
        text = stubs_of(session.schemas, session.server_url, version)
    if output == "-":
        click.echo(text, nl=False)
        return
    as_file(Path(output), text)
    click.echo(f"{output}: {text.count(chr(10))} lines", err=True)
