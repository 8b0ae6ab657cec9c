"""Whole batches: what `download` reports, counts, leaves and asks for again, also after Ctrl-C.

`test_transfer_model` chooses the order in which single downloads move; here their threads do as they like.
"""

import signal
import threading
from functools import partial
from unittest import mock

import pytest
from files_service import Files
from scripted_files import ScriptedFiles, Version
from shrinking import search_worlds
from transfer_model import SCALED_FETCH, SCALED_PART

from sessionkit.errors import SessionKitError
from sessionkit.http import RetryPolicy
from sessionkit.testing import ManualClock
from sessionkit.testing.tools import wait_until
from sessionkit.transfer import Download, download, fetch, part

SIZES = (0, 1, 20, 60, 100, 300, 500)
PLANS = ("cut", "cut", "chunked", "ignorant", "heedless", "bare", "416", "gzip", "403", "403", "503", "reset")


class Service(ScriptedFiles):
    """Interrupts the program with the answer to a request."""

    def reset(self):
        super().reset()
        self.interrupts = None
        self.wanted = []

    def answer(self, method, path, headers, body):
        self.wanted.append(path.strip("/"))
        if self.interrupts == len(self.wanted):
            signal.raise_signal(signal.SIGINT)
        return super().answer(method, path, headers, body)


def is_quiet():
    """Whether no batch is under way."""
    return not any(thread.name.startswith("sessionkit-many") for thread in threading.enumerate())


class Spoilt(Exception):
    """What reading the items may raise."""


def world(rng):
    """Files, plans and what else happens."""
    files = [(f"f{number}", rng.choice(SIZES), rng.choice(["md5", "own", "weak", ""])) for number in range(9)]
    plans = [(rng.choice(PLANS), rng.choice([None, 0, 30, 70])) for _ in range(rng.randint(0, 12))]
    return {
        "files": files[: rng.randint(1, 9)],
        "plans": plans,
        "concurrency": rng.randint(1, 4),
        "interrupts": rng.choice([None, None, rng.randint(1, 12)]),
        "spoilt": rng.choice([None, None, None, rng.randint(0, 5)]),
    }


class Batch:
    """One folder, downloaded into twice or more."""

    def __init__(self, service, session, folder, files, plans, concurrency, interrupts, spoilt):
        self.service, self.session, self.folder = service, session, folder
        service.reset()
        service.now = {name: Version(name, 0, size, kind) for name, size, kind in files}
        service.plans.extend(plans)
        service.interrupts = interrupts
        self.items = [Download(f"/{name}", folder / name) for name, *_ in files]
        self.concurrency, self.spoilt = concurrency, spoilt

    def run(self):
        seen = []
        try:
            found = self.download(self.given(), seen)
        except (KeyboardInterrupt, Spoilt):
            assert seen[-1].finished
            self.check_folder()
        else:
            found = self.checked(found, self.items, seen)
            if not found.ok:
                self.again(found)
        self.service.plans.clear()
        self.service.interrupts = self.spoilt = None
        there = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        seen = []
        found = self.checked(self.download(self.items, seen), self.items, seen)
        assert found.ok, [each.error for each in found.failed]
        assert sorted(path.name for path in self.folder.iterdir()) == sorted(self.service.now)
        for each in found:
            if each.path.name in there and self.service.now[each.path.name].kind == "md5":
                assert each.state == "present", f"{each} was there"

    def given(self):
        """The items, of which a generator may spoil the end."""
        if self.spoilt is None:
            return self.items
        return self.spoiling()

    def spoiling(self):
        yield from self.items[: self.spoilt]
        raise Spoilt

    def download(self, items, seen):
        clock = ManualClock()
        return download(
            self.session, items, concurrency=self.concurrency, attempts=2, progress=seen.append, clock=clock
        )

    def checked(self, found, items, seen):
        """A result, when it is right."""
        assert [each.item for each in found] == list(items)
        for each in found:
            assert each.state in {"fetched", "present", "failed"}, each
            assert each.ok or isinstance(each.error, SessionKitError), each
            assert not each.ok or each.size == each.path.stat().st_size
        self.check_folder({each.path.name for each in found if each.ok})
        last, came = seen[-1], [each for each in found if each.state == "fetched"]
        assert (last.finished, last.files, last.done) == (True, len(items), len(items)), last
        told = (last.fetched, last.present, last.failed)
        assert told == tuple(len(found.of(each)) for each in ("fetched", "present", "failed")), last
        assert last.bytes == sum(each.size for each in came), last
        assert [now.done for now in seen] == sorted(now.done for now in seen)
        return found

    def again(self, found):
        """Only what failed is asked for once more."""
        self.service.plans.clear()
        del self.service.wanted[:]
        self.service.interrupts = None
        retried = found.retry()
        assert retried.ok, retried.failed
        assert set(self.service.wanted) == {each.item.url.strip("/") for each in found.failed}
        assert [now is old for now, old in zip(retried, found, strict=True)] == [each.ok for each in found]
        self.check_folder(self.service.now)

    def check_folder(self, whole=()):
        """Nothing half done has a real name, and nothing is left but parts that can be carried on."""
        wait_until(is_quiet, 5.0)
        there = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        assert set(whole) <= set(there)
        for name, version in self.service.now.items():
            got = there.pop(name, version.content)
            assert got == version.content, f"{name} is not whole"
            got, noted = there.pop(f"{name}.part", None), there.pop(f"{name}.part.etag", b"").decode()
            assert (got is None) == (noted == ""), f"the part of {name} is noted as {noted!r}"
            assert got is None or (noted == version.etag and version.content.startswith(got))
            assert got is None or name not in whole
        assert not there


@pytest.fixture(scope="module")
def session():
    with Service() as service:
        retry = RetryPolicy(base=0, attempts=2)
        with Files.detached(service.url, timeout=5, retry=retry, proxies=False) as opened:
            yield service, opened
        service.shutdown()


def broken(session, folder, given):
    """What is wrong with a world, if something is."""
    folder.mkdir()
    try:
        Batch(*session, folder, **given).run()
    except AssertionError as error:
        return str(error) or repr(error)
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()
    return ""


def search(session, folder, seeds):
    """The first world with which something is wrong, without what is of no matter."""
    return search_worlds(seeds, world, ["plans", "files"], partial(broken, session, folder))


@pytest.fixture(autouse=True)
def _scaled():
    with mock.patch.multiple(part, **SCALED_PART), mock.patch.multiple(fetch, **SCALED_FETCH):
        yield


def test_any_batch(session, tmp_path):
    wrong = search(session, tmp_path / "out", range(12))
    assert not wrong, wrong


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_batches(session, tmp_path):
    wrong = search(session, tmp_path / "out", range(1_000, 6_000))
    assert not wrong, wrong
