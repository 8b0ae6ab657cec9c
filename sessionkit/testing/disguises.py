"""The shapes in which a secret may turn up where it must not."""

from __future__ import annotations

import base64
import json
import urllib.parse


def disguises(secret: str) -> set[str]:
    """`secret` as it is, and as URLs, forms, JSON, base64 and bytes' reprs would write it."""
    raw = secret.encode()
    return {
        secret,
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(raw)[2:-1],
        base64.b64encode(raw).decode().rstrip("="),
    }
