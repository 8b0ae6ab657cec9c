"""What is to be transferred, by what, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit.secrets import redact_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

State = Literal["fetched", "present", "filtered", "failed", "cancelled"]


class Answer(Protocol):
    """An answer whose body is read as it comes; `sessionkit.http.Stream` is one.

    Attributes:
        status: HTTP status, a success.
        headers: By name, whatever its case.
        url: What answered, after redirects.
    """

    status: int
    headers: Any
    url: str

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces; raises `ConnectionFailed` or `CallTimeout` when it ends early."""


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    >>> Download("https://x.test/report.pdf", Path("report.pdf"), checksum="sha256:9f86d0...")
    >>> Download("/cameras/A/live", Path("images"), name=name_of_url)     # named when the answer is known

    Attributes:
        url: Below the session's base URL, or whole. What it redirects to may be different each time.
        path: The file; with `name`, the folder it goes to.
        size: Bytes it must have, if known.
        checksum: "md5:..." or "sha256:..." in hexadecimal; "etag" when the service's ETag is the MD5.
        name: Names the file by its answer; only the last part of a path is used.
        headers: Sent along.
    """

    url: str
    path: Path
    size: int | None = None
    checksum: str | None = None
    name: Callable[[Answer], str] | None = None
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        kind, _, value = (self.checksum or "").partition(":")
        if kind not in {"", "etag", "md5", "sha256"} or (value and not _is_hexadecimal(value)):
            raise ConfigurationError(
                f"checksum={self.checksum!r} cannot be checked",
                hint='"md5:..." or "sha256:..." in hexadecimal, or "etag"',
            )

    def path_for(self, answer: Answer) -> Path:
        """Where the file goes.

        Raises:
            UnexpectedResponse: when the answer names none that can be a file in the folder.
        """
        if self.name is None:
            return self.path
        name = self.name(answer).replace("\\", "/").rstrip("/").rpartition("/")[2]
        if name in {"", ".", ".."} or "\0" in name:
            raise UnexpectedResponse("the answer names no file", url=redact_url(answer.url))
        return self.path / name

    def __str__(self) -> str:
        return redact_url(self.url)


def _is_hexadecimal(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text.lower())


@dataclass(frozen=True)
class Downloaded:
    """What became of one `Download`.

    Attributes:
        item: What was to be fetched.
        state: "fetched"; "present" (it was there already); "filtered" (`accept` said no); "failed"; or
            "cancelled" (not begun, or not ended, when the batch was stopped).
        path: The complete file, when there is one.
        size: Its bytes.
        received: Bytes that came over the wire, also those that came in vain.
        error: Why it failed.
    """

    item: Download
    state: State
    path: Path | None = None
    size: int = 0
    received: int = 0
    error: Exception | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in {"fetched", "present", "filtered"}
