"""Secrets: values that do not print, and text from which they are removed.

A secret becomes known once, when it is read or received. From then on it is a `Secret` (or a `Token`), whose
every textual form is "***", and it is *registered*: `redact` removes it from any text, whatever disguise
it wears there: as it is, percent-encoded, JSON-escaped, in base64, or inside `Basic user:password`.

    password = Secret("correct horse")
    print(password)                          # ***
    log.info(redact(f"sent {body!r}"))       # the body without the password
    install()                                # the same for the logs of sessionkit, urllib3 and requests

How long a value stays registered:

- `register(value)` is for good.
- A `Secret` or `Token` keeps its value registered while it lives, and for ten minutes after, because
  log lines and tracebacks arrive late. Renewed tokens therefore do not pile up: a process that renews for
  months remembers the tokens of the last ten minutes, and never more than 256 that nobody holds any more.
- Values shorter than four characters are not searched for: removing every "12" would leave no text to read.
  They are still hidden wherever their name gives them away (`redact_headers`, `redact_url`).

A value in a profile may be encrypted: see `encrypt`.
"""

from sessionkit.secrets.encryption import decrypt, encrypt, generate_key
from sessionkit.secrets.logs import RedactingFilter, install, uninstall
from sessionkit.secrets.names import redact_headers, redact_url, sounds_secret
from sessionkit.secrets.registry import MASK, redact, register
from sessionkit.secrets.secret import Secret

__all__ = [
    "MASK",
    "RedactingFilter",
    "Secret",
    "decrypt",
    "encrypt",
    "generate_key",
    "install",
    "redact",
    "redact_headers",
    "redact_url",
    "register",
    "sounds_secret",
    "uninstall",
]
