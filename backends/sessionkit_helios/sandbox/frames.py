"""Which images a camera has taken, and what they are called.

A camera without a list of its own takes one every ten minutes, and the service keeps 90 days of them:
so there are always images up to the sandbox's present, and none has to be stored.
"""

from __future__ import annotations

import bisect
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionkit_helios.sandbox import times

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY = 600_000
KEPT = 90 * 86_400_000


@dataclass(frozen=True)
class RollingFrames:
    """One image each `EVERY` milliseconds, at an offset of the camera's own, from 90 days ago until now."""

    camera: str
    now: int

    def since(self, start: int, limit: int) -> list[int]:
        """The first `limit` instants from `start` on, ascending."""
        first = self._at_or_after(max(start, self.now - KEPT))
        return list(range(first, min(self.now + 1, first + limit * EVERY), EVERY))

    def nearest(self, instant: int) -> int | None:
        """The instant closest to `instant`."""
        after = self._at_or_after(instant)
        closest = min((after - EVERY, after), key=lambda candidate: abs(candidate - instant))
        oldest = self._at_or_after(self.now - KEPT)
        newest = self._at_or_after(self.now + 1) - EVERY
        return min(max(closest, oldest), newest)

    def _at_or_after(self, instant: int) -> int:
        offset = int(hashlib.sha256(self.camera.encode()).hexdigest()[:8], 16) % EVERY
        return instant + (offset - instant) % EVERY


@dataclass(frozen=True)
class ListedFrames:
    """The images a data file names, ascending."""

    instants: Sequence[int]

    def since(self, start: int, limit: int) -> list[int]:
        """The first `limit` instants from `start` on, ascending."""
        first = bisect.bisect_left(self.instants, start)
        return list(self.instants[first : first + limit])

    def nearest(self, instant: int) -> int | None:
        """The instant closest to `instant`; None when the camera has no image."""
        return min(self.instants, key=lambda candidate: abs(candidate - instant), default=None)


@dataclass(frozen=True, order=True)
class Image:
    """One image of one camera."""

    camera: str
    instant: int

    @property
    def name(self) -> str:
        """`7fe1-VADOT-85975_20180101000000000.jpg`: a hash of the camera, the camera, the instant."""
        prefix = hashlib.md5(self.camera.encode(), usedforsecurity=False).hexdigest()[:4]
        return f"{prefix}-{self.camera}_{times.compact(self.instant)}.jpg"

    @classmethod
    def named(cls, name: str) -> Image:
        """The image of that name.

        Raises:
            ValueError: when no image can have it.
        """
        stem, _, stamp = name.removesuffix(".jpg").rpartition("_")
        image = cls(stem.partition("-")[2], times.parse_compact(stamp))
        if image.name != name:
            raise ValueError(name)
        return image
