"""How the command answers: tables for people, JSON for programs, errors that say what to do."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sessionkit import secrets
from sessionkit.errors import ConfigurationError
from sessionkit.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sessionkit.errors import SessionKitError


def as_json(value: Any) -> None:
    """Print `value` as one JSON document, secrets removed."""
    text = json.dumps(value, indent=2, default=str, ensure_ascii=False)
    if _printable(text) != text:
        text = json.dumps(value, indent=2, default=str)
    click.echo(secrets.redact(text))


def as_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print rows under their columns."""
    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*(escape(_printable(secrets.redact(str(cell)))) for cell in row))
    Console().print(table)


def as_json_line(value: Any) -> None:
    """Print `value` as JSON on a line of its own, secrets removed: one of many."""
    click.echo(secrets.redact(json.dumps(value, default=str)))


def as_file(path: Path, text: str) -> None:
    """Write `text` to a file, whole or not at all.

    Raises:
        ConfigurationError: when there cannot be such a file.
    """
    try:
        with replacing(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def _printable(text: str) -> str:
    r"""The text with `\u....` for what the terminal's encoding lacks, and for half a surrogate pair."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def show(value: Any) -> None:
    """Print a call's result so that a person can read it: as tables where it is some, else as JSON."""
    if _is_table(value):
        _rows(value)
    elif isinstance(value, Mapping) and value and all(_is_table(v) or not _deep(v) for v in value.values()):
        plain = {name: item for name, item in value.items() if not _deep(item)}
        if plain:
            as_table(("name", "value"), plain.items())
        for name, item in value.items():
            if _deep(item):
                _rows(item, title=name)
    else:
        as_json(value)


def _rows(value: list[Mapping[str, Any]], title: str | None = None) -> None:
    columns = list(dict.fromkeys(name for row in value for name in row))
    as_table(columns, [[row.get(name, "") for name in columns] for row in value], title=title)


def _is_table(value: Any) -> bool:
    """Whether it is a list of mappings without anything deeper in them."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, Mapping) and not any(map(_deep, row.values())) for row in value)
    )


def _deep(cell: Any) -> bool:
    return isinstance(cell, (Mapping, list))


def complain(error: SessionKitError) -> None:
    """Print an error, and what to do about it, on standard error."""
    console = Console(stderr=True)
    name = type(error).__name__
    first, *rest = secrets.redact(str(error)).splitlines() or [""]
    told = Text(f"{name}: {first}" if first else name)
    told.stylize("bold red", 0, len(name))
    _print(console, told)
    for line in rest:
        _print(console, Text(line, style="dim" if "->" not in line else ""))
    sys.stderr.flush()


def _print(console: Console, line: Text) -> None:
    """Print a line, broken between words where a terminal ends, and nowhere for what is no terminal.

    What is longer than the terminal is wide, such as a URL, stays in one piece, to be copied.
    """
    indent = len(line.plain) - len(line.plain.lstrip())
    ends, column = [], indent
    for word in re.finditer(r"\S+\s*", line.plain if console.is_terminal else ""):
        if column + cell_len(word[0].rstrip()) > console.width and column > indent:
            ends.append(word.start())
            column = indent
        column += cell_len(word[0])
    for number, part in enumerate(line.divide(ends)):
        part.rstrip()
        console.print(Text(" " * indent) + part if number else part, highlight=False, soft_wrap=True)
