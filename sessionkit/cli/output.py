"""How the command answers: tables for people, JSON for programs, errors that say what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sessionkit import secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit.errors import SessionKitError


def as_json(value: Any) -> None:
    """Print `value` as one JSON document, secrets removed."""
    click.echo(secrets.redact(json.dumps(value, indent=2, default=str, ensure_ascii=False)))


def as_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print rows under their columns."""
    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*(escape(secrets.redact(str(cell))) for cell in row))
    Console().print(table)


def show(value: Any) -> None:
    """Print a call's result so that a person can read it: a table where it is one, else indented JSON."""
    rows = (
        value
        if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value)
        else None
    )
    if rows is not None and not any(_deep(cell) for row in rows for cell in row.values()):
        columns = list(dict.fromkeys(name for row in rows for name in row))
        as_table(columns, [[row.get(name, "") for name in columns] for row in rows])
    elif isinstance(value, Mapping) and value and not any(_deep(cell) for cell in value.values()):
        as_table(("name", "value"), value.items())
    else:
        as_json(value)


def _deep(cell: Any) -> bool:
    return isinstance(cell, (Mapping, list))


def complain(error: SessionKitError) -> None:
    """Print an error, and what to do about it, on standard error."""
    console = Console(stderr=True)
    first, *rest = str(error).splitlines() or [type(error).__name__]
    console.print(f"[bold red]{type(error).__name__}[/]: {escape(secrets.redact(first))}", highlight=False)
    for line in rest:
        console.print(escape(secrets.redact(line)), style="dim" if "->" not in line else "", highlight=False)
    sys.stderr.flush()
