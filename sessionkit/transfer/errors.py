"""What can go wrong with a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.errors import SessionKitError, UnexpectedResponse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sessionkit.transfer.items import Downloaded


class Damaged(UnexpectedResponse):
    """What came is not what was promised: another size or checksum."""


class NotWritten(SessionKitError, OSError):
    """A file that could not be written: no space, no permission, a folder in its place.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path} could not be written: {error.strerror or error}",
            hint="check free space, quota and permissions of its folder",
        )
        self.path = path
        self.errno = error.errno


class NotRead(SessionKitError):
    """A file that could not be read to its end as it was when its upload began.

    Attributes:
        path: The file.
    """

    # No OSError: what is raised while a request is sent would then pass for the connection's, and be retried.
    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why} while it was sent", hint="send it again when nobody changes it")
        self.path = path


class TransferFailed(SessionKitError):
    """Some files of a batch failed.

    Attributes:
        failed: One record for each, with its `item` and `error`.
    """

    def __init__(self, failed: Sequence[Downloaded]) -> None:
        shown = "".join(f"\n  {each.item}: {each.error}" for each in failed[:5])
        more = f"\n  and {len(failed) - 5} more" if len(failed) > 5 else ""
        super().__init__(
            f"{len(failed)} of the files failed:{shown}{more}",
            hint="the result's retry() asks for these once more; what succeeded is kept",
        )
        self.failed = tuple(failed)
