"""Secrets given away by their name: headers, query parameters, settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sessionkit.secrets.registry import MASK, redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_TELLTALE = re.compile(
    r"auth(?!or(s|$|[-_.]))|token|secret|passw|passphrase|passcode|pwd|cookie|credential|signature|session$|sess(ion)?[-_]?id|jwt|bearer"
    r"|(api|access|private|account|shared|subscription)[-_. ]?key|(^|[-_.])(key|sig|pass|pin)$",
    re.IGNORECASE,
)
# They contain a telltale word and no secret: challenges, and what says where or how to sign in.
_HARMLESS = re.compile(
    r"authenticate$|^:?authority$|(url|uri|path|file|type|scheme|expir\w*|lifetime|timeout)$",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(Basic|Bearer|Digest|Negotiate|Token|ApiKey|HMAC|AWS4-HMAC-SHA256) ", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=//)[^/?#]*@")
_PARAMETER = re.compile(r"([?&;#])([^=&;#]+)=([^&;#]*)")


def sounds_secret(name: str) -> bool:
    """Whether a header, parameter or setting of this name is likely to hold a credential.

    >>> [sounds_secret(name) for name in ("X-Api-Key", "auth_token", "WWW-Authenticate", "limit")]
    [True, True, False, False]
    """
    return bool(_TELLTALE.search(name)) and not _HARMLESS.search(name)


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy of `headers` to show: credentials hidden by their name, registered values by their text.

    The scheme stays, because it is what one looks for: `{"Authorization": "Bearer ***"}`.
    """
    return {str(name): _shown(str(name), str(value)) for name, value in headers.items()}


def _shown(name: str, value: str) -> str:
    if not sounds_secret(name):
        return redact(value)
    scheme = _SCHEME.match(value)
    return f"{scheme[0] if scheme else ''}{MASK}"


def redact_url(url: str) -> str:
    """`url` to show: user and password, credential-like parameters and registered values are hidden.

    >>> redact_url("https://ann:pw@host/x?limit=5&api_key=abc")
    'https://***@host/x?limit=5&api_key=***'
    """
    return redact(_PARAMETER.sub(_shown_parameter, _USERINFO.sub(f"{MASK}@", url)))


def _shown_parameter(match: re.Match[str]) -> str:
    separator, name, value = match.groups()
    shown = MASK if value and sounds_secret(unquote(name)) else value
    return f"{separator}{name}={shown}"
