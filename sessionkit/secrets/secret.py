"""`Secret`: a string that does not print."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, NoReturn

from sessionkit.secrets.registry import MASK, register

if TYPE_CHECKING:
    from typing_extensions import Self


class Secret:
    """A string that shows as "***" everywhere, and is removed from logs and errors.

        key = Secret("wJalrXUtnFEMI")
        f"{key} {key!r}"         # '*** Secret(***)'
        key.reveal()             # the string itself, for the one line that sends it

    Two secrets are equal when their strings are; a secret is never equal to a plain string. An empty one
    is false. It cannot be pickled: a secret that travels in a file or between processes is not one.
    """

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a Secret is made of a str, not of {type(value).__name__}")
        self._value = value
        register(value, self)

    def reveal(self) -> str:
        """The string itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: hand over the name of its profile and read it there")


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
