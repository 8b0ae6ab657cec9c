"""Uploads, whole and in parts, whatever goes wrong and whatever somebody does to the file meanwhile.

What the service has when an upload succeeds is the file as it was at one time; what fails says why; what was
sent is what was counted.
"""

import os
import random
import sys
from functools import partial
from unittest import mock

import pytest
from files_service import Files
from scripted_files import ScriptedFiles, md5
from shrinking import search_worlds

from sessionkit.errors import RequestError
from sessionkit.http import RetryPolicy
from sessionkit.testing import ManualClock
from sessionkit.transfer import NotRead, Part, upload, upload_parts

PIECE = 16_384  # more than a file is read ahead
PLANS = ("reset", "lost", "503", "403", "corrupt upload")


def world(rng):
    """A file, how it is sent, and what happens; a change comes when so many pieces were sent."""
    size = rng.choice([0, 1, 16_384, 40_000, 100_000])
    plans = [(rng.choice(PLANS), None) for _ in range(rng.choice([0, 0, 1, 2, 3]))]
    kinds = ["other", "shorter", "longer", "gone", "replaced", "same"]
    changes = [(rng.randint(1, 7), rng.choice(kinds)) for _ in range(rng.choice([0, 0, 1]))]
    return {
        "size": size,
        "plans": plans,
        "changes": changes,
        "part_size": rng.choice([None, 16_384, 30_000, 65_536]),
        "concurrency": rng.randint(1, 3),
    }


class Counting(ManualClock):
    """Is asked for each piece that was sent, and lets something happen then."""

    def __init__(self, then):
        super().__init__()
        self.asked, self.then = -1, then

    def monotonic(self):
        self.asked += 1
        self.then(self.asked)
        return super().monotonic()


class Sending:
    """One file to be sent."""

    def __init__(self, service, session, path, size, plans, changes, part_size, concurrency):
        self.service, self.session, self.path = service, session, path
        service.reset()
        service.plans.extend(plans)
        self.content = random.Random(size).randbytes(size)
        path.write_bytes(self.content)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        self.changes = changes
        self.planned, self.versions = bool(plans), {self.content}
        self.part_size, self.concurrency = part_size, concurrency
        self.seen = []

    def change(self, sent):
        for when, kind in self.changes:
            if when == sent:
                other = bytes(each ^ 255 for each in self.content)
                self.versions.add(other)
                if kind == "gone":
                    self.path.unlink(missing_ok=True)
                elif kind == "replaced":
                    self.path.with_name("newer").write_bytes(other)
                    self.path.with_name("newer").replace(self.path)
                elif kind != "same":
                    now = {"other": other, "shorter": other[:-5], "longer": other + b"more"}[kind]
                    self.path.write_bytes(now)

    def send(self):
        options = {"progress": self.seen.append, "clock": Counting(self.change)}
        if self.part_size is None:
            return [upload(self.session, self.path, "/whole", **options)]
        count = max(1, -(-len(self.content) // self.part_size))
        parts = [Part(number, f"/{number}") for number in range(1, count + 1)]
        options |= {"part_size": self.part_size, "concurrency": self.concurrency}
        return upload_parts(self.session, self.path, parts, **options)

    def run(self):
        reasons = {RequestError: self.planned, NotRead: self.changes}
        try:
            sent = self.send()
        except tuple(kind for kind, expected in reasons.items() if expected):
            pass
        else:
            names = ["whole"] if self.part_size is None else [str(each.number) for each in sent]
            got = b"".join(self.service.stored[name] for name in names)
            assert got in self.versions, "the service has something else than the file"
            assert [each.md5 for each in sent] == [md5(self.service.stored[name]) for name in names]
            assert [each.number for each in sent] == list(range(1, len(sent) + 1))
            last = self.seen[-1]
            assert (last.bytes, last.total, last.files) == (len(got), len(got), 1), last
            assert (last.fetched, last.failed, last.done) == (1, 0, 1), last
        assert self.seen[-1].finished


def broken(service, session, path, given):
    """What is wrong with a world, if something is."""
    try:
        Sending(service, session, path, **given).run()
    except AssertionError as error:
        return str(error) or repr(error)
    return ""


def search(service, session, path, seeds):
    """The first world with which something is wrong, without what is of no matter."""
    return search_worlds(seeds, world, ["plans"], partial(broken, service, session, path))


@pytest.fixture(scope="module")
def session():
    with ScriptedFiles() as service:
        retry = RetryPolicy(base=0, attempts=3)
        with Files.detached(service.url, timeout=5, retry=retry, proxies=False) as opened:
            yield service, opened
        service.shutdown()


@pytest.fixture(autouse=True)
def _scaled():
    with mock.patch.object(sys.modules["sessionkit.transfer.upload"], "_BLOCK", PIECE):
        yield


def test_any_upload(session, tmp_path):
    wrong = search(*session, tmp_path / "film", range(60))
    assert not wrong, wrong


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_uploads(session, tmp_path):
    wrong = search(*session, tmp_path / "film", range(1_000, 11_000))
    assert not wrong, wrong
