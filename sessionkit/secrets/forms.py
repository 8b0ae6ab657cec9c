"""The disguises of a value: how it looks once a URL, a JSON text, a repr or a header has had it."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERCENT = re.compile("%[0-9A-F]{2}")
# (bytes before the value modulo 3) -> base64 characters at the start that also depend on those bytes.
_HEAD = (0, 2, 3)


def plain_forms(value: str) -> set[str]:
    """The value as text: as it is, percent-encoded, JSON-escaped, HTML-escaped and as Python prints it."""
    quoted = {
        quote(value, safe="", errors="surrogatepass"),
        quote(value, errors="surrogatepass"),
        quote_plus(value, errors="surrogatepass"),
    }
    lower = {_PERCENT.sub(lambda match: match[0].lower(), text) for text in quoted}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    printed = {repr(value)[1:-1], *(repr(raw)[2:-1] for raw in _encodings(value))}
    # json.dumps leaves "/" alone; JavaScript and PHP often do not.
    slashed = {text.replace("/", "\\/") for text in escaped}
    return {value, html.escape(value)} | quoted | lower | escaped | printed | slashed


def base64_forms(value: str) -> set[str]:
    """What is left of the value in the base64 of any text that contains it, in both alphabets.

    Base64 turns three bytes into four characters, so the same value looks different at each of three
    positions; characters that also depend on its neighbours are left out. Only pieces of four characters
    and more are given: shorter ones would be found by chance.
    """
    pieces = {piece for raw in _encodings(value) for piece in _base64_pieces(raw)}
    return {form for piece in pieces for form in (piece, piece.replace("+", "-").replace("/", "_"))}


def _base64_pieces(raw: bytes) -> Iterator[str]:
    for offset, head in enumerate(_HEAD):
        encoded = base64.b64encode(bytes(offset) + raw).decode().rstrip("=")
        tail = len(encoded) if (offset + len(raw)) % 3 == 0 else -1
        piece = encoded[head:tail]
        if len(piece) >= 4:
            yield piece


def _encodings(value: str) -> Iterator[bytes]:
    yield value.encode("utf-8", "surrogatepass")
    # HTTP's Basic authentication is Latin-1 in most clients.
    yield value.encode("latin-1", "replace")
