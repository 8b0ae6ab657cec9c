"""Many downloads at once, with one result."""

from __future__ import annotations

import threading
from collections.abc import Sized
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigurationError
from sessionkit.http.many import do_all
from sessionkit.transfer.errors import TransferFailed
from sessionkit.transfer.fetch import Fetch, Options
from sessionkit.transfer.progress import Meter, Progress, callback_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sessionkit.clock import Clock
    from sessionkit.http import HttpEngine
    from sessionkit.transfer.items import Answer, Download, Downloaded


@dataclass(frozen=True)
class _Plan:
    """How a batch is done, to do a part of it again."""

    session: HttpEngine
    concurrency: int
    progress: Callable[[Progress], None] | bool | None
    options: Options


class Downloads:
    """What became of a batch, in the order it was given.

    >>> result = download(session, items)
    >>> result = result if result.ok else result.retry()
    >>> result.raise_for_failures()
    >>> [path.name for path in result.paths]

    Attributes:
        all: One `Downloaded` per item.
    """

    def __init__(self, plan: _Plan, found: Sequence[Downloaded]) -> None:
        self._plan = plan
        self.all = list(found)

    @property
    def ok(self) -> bool:
        """Whether no file failed or was left out."""
        return all(each.ok for each in self.all)

    @property
    def paths(self) -> list[Path]:
        """The files that are complete and in their place, fetched now or present before."""
        return [each.path for each in self.all if each.path is not None]

    def of(self, *states: str) -> list[Downloaded]:
        """The records of some states: `result.of("fetched")`."""
        return [each for each in self.all if each.state in states]

    @property
    def failed(self) -> list[Downloaded]:
        """The records of what failed, each with its `error`."""
        return self.of("failed")

    def retry(self, *, progress: Callable[[Progress], None] | bool | None = None) -> Downloads:
        """Ask once more for what failed or was cancelled, and keep the rest."""
        open_ = [index for index, each in enumerate(self.all) if not each.ok]
        plan = self._plan if progress is None else replace(self._plan, progress=progress)
        again = _run(plan, [self.all[index].item for index in open_])
        found = list(self.all)
        for index, record in zip(open_, again, strict=True):
            found[index] = record
        return Downloads(plan, found)

    def raise_for_failures(self) -> None:
        """Raise `TransferFailed`, naming them, if there are any."""
        left = self.of("failed", "cancelled")
        if left:
            raise TransferFailed(left)

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[Downloaded]:
        return iter(self.all)

    def __repr__(self) -> str:
        states = [each.state for each in self.all]
        counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"<Downloads {counted or 'of nothing'}>"


def download(
    session: HttpEngine,
    items: Iterable[Download],
    *,
    concurrency: int = 16,
    existing: Literal["check", "skip", "replace"] = "check",
    accept: Callable[[Answer], bool] | None = None,
    progress: Callable[[Progress], None] | bool | None = None,
    attempts: int = 5,
    timeout: float | None = None,
    durable: bool = True,
    clock: Clock = SYSTEM_CLOCK,
) -> Downloads:
    """Fetch files, each complete under its name or not there at all.

    A body goes to a sibling `.part` file that is renamed once size and checksum are right. When it breaks
    off it is carried on where it stopped (Range with If-Range), now or the next time it is asked for.
    One file's failure never ends the others.

    >>> result = download(session, (Download(url, folder / name) for name, url in links), progress=True)

    Args:
        session: Who asks.
        items: What to fetch; taken as workers become free, so it may be a long or slow iterator.
        concurrency: Files under way at once; memory grows with this, not with the number of files.
        existing: What a file that is there is worth. "check": kept if its size and checksum, or else its
            ETag by the service's word, are right. "skip": kept. "replace": fetched anew.
        accept: Sees an answer's `status`, `headers` and `url` before its body; False leaves it out.
            Called from several threads.
        progress: True shows a bar in a terminal; a function is called with a `Progress`.
        attempts: Times a body may break off, or be damaged, without having brought at least a megabyte to
            carry on from.
        timeout: Seconds until an answer must begin, and between its pieces; None is the session's.
        durable: False trusts the system to write files down in time: after a power cut, one that was
            just fetched may then be empty or torn.
        clock: Time, for tests.

    Raises:
        KeyboardInterrupt: Ctrl-C; parts that can be carried on stay, and nothing half done has a real name.
        ConfigurationError: an argument that cannot work.
        Exception: what iterating over `items` raised, after the files under way have ended.
    """
    if concurrency < 1 or attempts < 1:
        raise ConfigurationError("concurrency and attempts are at least 1")
    if existing not in {"check", "skip", "replace"}:
        raise ConfigurationError(f"existing={existing!r}", hint="one of check, skip, replace")
    options = Options(existing, accept, attempts, timeout, durable, clock)
    plan = _Plan(session, concurrency, progress, options)
    return Downloads(plan, _run(plan, items))


def _run(plan: _Plan, items: Iterable[Download]) -> list[Downloaded]:
    files = len(items) if isinstance(items, Sized) else None
    if files == 0:
        return []
    meter = Meter(callback_of(plan.progress, "downloading"), files, plan.options.clock)
    stop = threading.Event()
    tasks = (Fetch(plan.session, item, plan.options, meter, stop) for item in items)
    at_once = min(plan.concurrency, files or plan.concurrency)
    try:
        with closing(do_all(plan.session, tasks, at_once, plan.options.timeout)) as records:
            try:
                return list(records)
            finally:
                stop.set()
    finally:
        meter.finish()
