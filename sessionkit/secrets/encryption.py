"""Encrypted values, so that a profile may be committed: Fernet (AES-128-CBC with HMAC-SHA256).

The key is what $SESSIONKIT_KEY holds, and may be of two kinds:

- a generated key (`sessionkit.secrets.generate_key()`, 44 characters), used as it is; the encrypted text is a
  plain Fernet token that any Fernet tool reads;
- a passphrase, from which the key is derived by scrypt (n=2**15, r=8, p=1) with 16 random bytes of salt
  for each value; the encrypted text is `scrypt:<salt>:<Fernet token>`.
"""

from __future__ import annotations

import base64
import binascii
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigurationError
from sessionkit.secrets.secret import Secret

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

# cryptography is imported where it is used: 7 ms that most programs never need.

KEY_VARIABLE = "SESSIONKIT_KEY"
_SALT_BYTES = 16


def generate_key() -> str:
    """A new random key for $SESSIONKIT_KEY."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def encrypt(value: str | Secret, key: str | None = None) -> str:
    """Encrypt a value for a profile: `{encrypted: <what this returns>}`.

    Args:
        value: The text to hide.
        key: A generated key or a passphrase; $SESSIONKIT_KEY when None.

    Raises:
        ConfigurationError: there is no key.
    """
    key = _key(key)
    plain = (value.reveal() if isinstance(value, Secret) else value).encode()
    if _is_generated(key):
        return _fernet(key).encrypt(plain).decode()
    salt = os.urandom(_SALT_BYTES)
    token = _fernet(_derived(key, salt)).encrypt(plain).decode()
    return f"scrypt:{base64.urlsafe_b64encode(salt).decode()}:{token}"


def decrypt(text: str, key: str | None = None) -> str:
    """The value that `encrypt` made `text` from.

    Raises:
        ConfigurationError: there is no key, it is not the one, or the text is damaged.
    """
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - see above

    key = _key(key)
    salt, token = _parts(text.strip())
    if not salt and not _is_generated(key):
        raise ConfigurationError(
            "an encrypted value was made with a generated key, and the key at hand is a passphrase",
            hint=f"set ${KEY_VARIABLE} to the key that encrypted it",
        )
    try:
        return _fernet(_derived(key, salt) if salt else key).decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeError):
        # Without the cause: it would add nothing but a traceback through cryptography.
        raise ConfigurationError(
            "an encrypted value could not be decrypted: another key encrypted it, or it is damaged",
            hint=f"check ${KEY_VARIABLE}, or encrypt the value again",
        ) from None


def _key(key: str | None) -> str:
    key = key if key is not None else os.environ.get(KEY_VARIABLE, "")
    if not key:
        raise ConfigurationError(
            "there is no key for encrypted values",
            hint=f"set ${KEY_VARIABLE} to a passphrase, or to what sessionkit.secrets.generate_key() returns",
        )
    return key


def _is_generated(key: str) -> bool:
    try:
        return len(base64.b64decode(key.encode(), altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _parts(text: str) -> tuple[bytes, str]:
    """The salt (none for a generated key) and the Fernet token."""
    form, _, rest = text.partition(":")
    if form != "scrypt":
        return b"", text
    salt, _, token = rest.partition(":")
    try:
        return base64.b64decode(salt.encode(), altchars=b"-_", validate=True), token
    except (binascii.Error, ValueError):
        raise ConfigurationError(
            "an encrypted value is damaged: its salt cannot be read", hint="encrypt the value again"
        ) from None


@lru_cache(maxsize=64)
def _derived(passphrase: str, salt: bytes) -> str:
    """The Fernet key of a passphrase; remembered, because deriving it takes a tenth of a second by design."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415 - see above

    derived = Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode())
    return base64.urlsafe_b64encode(derived).decode()


def _fernet(key: str) -> Fernet:
    from cryptography.fernet import Fernet  # noqa: PLC0415 - see above

    return Fernet(key)
