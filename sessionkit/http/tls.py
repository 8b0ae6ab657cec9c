"""One `ssl.SSLContext` per process and TLS setting.

Loading the certificate authorities costs most of a new session's first HTTPS call; sessions with the same
settings share the context, which is safe between threads and after a fork.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_contexts: dict[tuple[object, ...], ssl.SSLContext] = {}


def shared_context(
    verify: bool | str | Path = True, cert: str | Path | tuple[str | Path, str | Path] | None = None
) -> ssl.SSLContext:
    """The context for these settings, made once.

    Args:
        verify: True for the usual authorities (or $REQUESTS_CA_BUNDLE, $CURL_CA_BUNDLE, $SSL_CERT_FILE),
            False for none, or the path of a bundle file or folder. What the caller sets here is never
            overridden by the environment.
        cert: A client certificate: the path of a file with certificate and key, or one of each.

    Raises:
        ConfigurationError: when a file cannot be read or is no certificate.
    """
    authorities = _authorities(verify)
    pair = (str(cert[0]), str(cert[1])) if isinstance(cert, tuple) else (str(cert), None) if cert else None
    key = (bool(verify), authorities, pair)
    context = _contexts.get(key)
    if context is None:
        # No lock, which a fork could catch held: of two that are made at once, the first is kept.
        context = _contexts.setdefault(key, _make(bool(verify), authorities, pair))
    return context


def _authorities(verify: object) -> str | None:
    if not isinstance(verify, bool):
        return str(verify)
    if not verify:
        return None
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _make(verify: bool, authorities: str | None, pair: tuple[str, str | None] | None) -> ssl.SSLContext:
    from urllib3.util.ssl_ import create_urllib3_context  # noqa: PLC0415 - plain http never needs it

    from sessionkit.http.answer import TLSSocket  # noqa: PLC0415 - likewise

    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE)
    context.sslsocket_class = TLSSocket
    try:
        if verify and authorities is not None:
            folder = os.path.isdir(authorities)  # noqa: PTH112 - a string from the environment
            context.load_verify_locations(**{"capath" if folder else "cafile": authorities})
        elif verify:
            _load_default_authorities(context)
        if pair is not None:
            context.load_cert_chain(pair[0], pair[1])
    except (OSError, ssl.SSLError) as error:
        wrong = authorities if pair is None else f"{authorities or 'authorities'} / {pair[0]}"
        raise ConfigurationError(
            f"cannot load TLS certificates from {wrong}: {error}",
            hint="verify= takes a PEM bundle, cert= a PEM certificate with its key",
        ) from error
    return context


def _load_default_authorities(context: ssl.SSLContext) -> None:
    try:
        import certifi  # noqa: PLC0415 - requests brings it; the system's store serves without it
    except ImportError:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=certifi.where())
