"""What a documentation page holds besides prose: blocks of code, and what a comment above says of them.

A comment directly above a fence changes what happens to it:

| comment | means |
|---|---|
| (none) | `python` runs, in one namespace for the page; nothing else does |
| `<!-- not run: reason -->` | shown only |
| `<!-- prints -->` | the block is what the one above printed ("..." stands for anything) |
| `<!-- raises -->` | the same, and the block above ended with that error |
| `<!-- run -->` | a `console` block of `$ sessionkit` commands and what they print |
| `<!-- file: NAME -->` | is written to NAME in the page's folder |
| `<!-- file: NAME, from PATH -->` | the same, and is the repository's file PATH, word for word |
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(
    r"^(?: *<!-- (?P<note>[^\n]+?) -->\n+)?"
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w-]+)[^\n]*\n(?P<code>.*?)^(?P=indent)(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block; `note` is the comment above it, `line` where its code begins."""

    language: str
    code: str
    note: str
    line: int

    @property
    def runs(self) -> bool:
        return self.language == "python" and not self.note.startswith(("not run:", "file:"))

    @property
    def file(self) -> tuple[str, str] | None:
        """The name it is written to, and the repository's file that it is, or ""."""
        if not self.note.startswith("file:"):
            return None
        name, _, source = self.note.removeprefix("file:").partition(", from ")
        return name.strip(), source.strip()


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, in order; those in lists without their indentation."""
    return [
        Block(found["language"], _code(found), found["note"] or "", text[: found.start("code")].count("\n"))
        for found in _FENCE.finditer(text)
    ]


def _code(found: re.Match[str]) -> str:
    lines = found["code"].splitlines(keepends=True)
    return "".join(line.removeprefix(found["indent"]) for line in lines)
