"""Thumbnails and web pictures, made with Pillow (`sessionkit[sandbox]`)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture."""

    data: bytes
    media_type: str
    width: int
    height: int


class NotAPicture(ValueError):
    """The data is no picture that Pillow reads."""


def fitted(data: bytes, size: int) -> Picture:
    """A JPEG of the picture in `data`, at most `size` pixels wide and high.

    Raises:
        NotAPicture: for data that is something else.
    """
    # Here, not above: it costs start-up and is needed for pictures only.
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - see above

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.thumbnail((size, size))
            return _jpeg(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotAPicture(str(error)) from None


def placeholder(size: int) -> Picture:
    """A plain tile, for what has no picture."""
    from PIL import Image  # noqa: PLC0415 - as in fitted

    return _jpeg(Image.new("RGB", (size, size * 9 // 16 or 1), (56, 58, 66)))


def thumbnail(data: bytes, size: int) -> Picture:
    """A picture of `data` if it is one, otherwise the placeholder."""
    try:
        return fitted(data, size)
    except NotAPicture:
        return placeholder(size)


def _jpeg(image: Image.Image) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return Picture(buffer.getvalue(), "image/jpeg", image.width, image.height)
