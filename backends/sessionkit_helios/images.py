"""Images: fetched into files or memory, as bytes, pictures or arrays."""

from __future__ import annotations

import io
import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from sessionkit.errors import UnexpectedResponse
from sessionkit.http import Call
from sessionkit.secrets import redact_url
from sessionkit.transfer import Answer, Download, Downloads, Progress, download
from sessionkit_helios.batch import Batch, Failure

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from PIL.Image import Image as Picture

    from sessionkit.outcome import Exchange
    from sessionkit_helios.session import HeliosSession

VERDICT = "x-amz-meta-helios"
_NO_IMAGES = frozenset({"application/json", "text/html"})
_BAD = ("isDud", "isOutcast", "isFrozen")


class Image:
    """One image: its name and its JPEG.

    Attributes:
        name: As the service names it: camera and time.
        path: The file, if it was fetched into one.
    """

    def __init__(self, name: str, path: Path | None = None, data: bytes = b"") -> None:
        self.name = name
        self.path = path
        self._data = data

    @property
    def data(self) -> bytes:
        """The JPEG; read from the file each time, if there is one."""
        return self._data if self.path is None else self.path.read_bytes()

    @property
    def picture(self) -> Picture:
        """A Pillow image; Pillow must be installed."""
        # Loaded when a picture is wanted, and not by those who only store files.
        opened: Picture = import_module("PIL.Image").open(io.BytesIO(self.data))
        opened.load()
        return opened

    @property
    def array(self) -> Any:
        """Rows, columns, colours (uint8); NumPy and Pillow must be installed."""
        return import_module("numpy").asarray(self.picture)

    def __repr__(self) -> str:
        return f"<Image {self.name}>"


class Images:
    """The images of one request, in its order.

    >>> images = Cameras().show_image("VADOT-85975", times, out_dir="pictures")
    >>> images.output_files, images.failed
    >>> images = images.retry()                     # only what failed

    Attributes:
        dropped: How many were left out as duds.
    """

    def __init__(self, result: Downloads | Batch[str, Image | None]) -> None:
        self._result = result
        if isinstance(result, Downloads):
            self._images = [Image(path.name, path) for path in result.paths]
            self.dropped = len(result.of("filtered"))
        else:
            self._images = [image for image in result.succeeded if image is not None]
            self.dropped = len(result.succeeded) - len(self._images)

    @property
    def failed(self) -> list[Failure]:
        """What failed, and why."""
        if isinstance(self._result, Batch):
            return self._result.failed
        failed = ((each.item, each.error) for each in self._result.failed)
        return [Failure(str(item), error) for item, error in failed if error is not None]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return self._result.ok

    def retry(self) -> Images:
        """Ask once more for what failed, and keep the rest."""
        return Images(self._result.retry())

    def raise_for_failures(self) -> None:
        """Raise an error that names what failed, if anything did."""
        self._result.raise_for_failures()

    @property
    def image_names(self) -> list[str]:
        """The images' names."""
        return [image.name for image in self._images]

    @property
    def output_files(self) -> list[Path]:
        """The files; none when they were fetched into memory."""
        return [image.path for image in self._images if image.path is not None]

    @property
    def image_data(self) -> list[Any]:
        """The images as arrays; all in memory at once."""
        return [image.array for image in self._images]

    def __iter__(self) -> Iterator[Image]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Image:
        return self._images[index]

    def __repr__(self) -> str:
        return f"<Images: {len(self)}, {self.dropped} dropped, {len(self.failed)} failed>"


def fetch(
    session: HeliosSession,
    uris: Sequence[str],
    out_dir: str | os.PathLike[str] | None,
    *,
    duds: bool = True,
    existing: Literal["check", "skip", "replace"] = "check",
    progress: Callable[[Progress], None] | bool | None = None,
) -> Images:
    """Fetch what each URI redirects to.

    Args:
        session: Who asks.
        uris: Below the session's base URL.
        out_dir: A folder for the files, which get the images' own names; None keeps the images in memory.
        duds: False leaves out what the service itself marks as showing nothing of use.
        existing: See `sessionkit.transfer.download`.
        progress: See there.
    """
    if out_dir is None:
        read = _image if duds else _good_image
        return Images(Batch(session, uris, _call, read))
    items = [Download(uri, Path(out_dir), checksum="etag", name=name_of) for uri in uris]
    accept = None if duds else is_good
    return Images(
        download(
            session, items, concurrency=session.workers, existing=existing, accept=accept, progress=progress
        )
    )


def _call(uri: str) -> Call:
    return Call("GET", uri, headers={"Accept": "image/jpeg"}, raw=True)


def _image(exchange: Exchange) -> Image:
    return Image(name_of(exchange.response), data=exchange.response.body)


def _good_image(exchange: Exchange) -> Image | None:
    return _image(exchange) if is_good(exchange.response) else None


def name_of(answer: Answer) -> str:
    """The name an image goes by: the last part of the URL it came from.

    Raises:
        UnexpectedResponse: what came is a page, a message or nothing, such as a proxy's answer, or the API's
            own in the place of a redirect.
    """
    kind = (answer.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind in _NO_IMAGES or answer.status == 204:
        raise UnexpectedResponse(
            f"no image came, but {kind or 'nothing'}", url=redact_url(answer.url), status=answer.status
        )
    return unquote(urlsplit(answer.url).path).rpartition("/")[2]


def is_good(answer: Answer) -> bool:
    """Whether the service's own checks found nothing wrong with an image."""
    try:
        verdict = json.loads(answer.headers.get(VERDICT) or "{}")
    except (ValueError, RecursionError):
        return True
    return not (isinstance(verdict, dict) and any(verdict.get(fault) is True for fault in _BAD))
