"""What `test_transfer_model` found, each in as few steps as it takes."""

import pytest
from files_service import content, md5

from sessionkit.errors import ConnectionFailed
from sessionkit.transfer import Damaged, download

BIG = "big-3000000.bin"


def test_a_large_file_that_is_always_damaged_is_given_up(session, item, sandbox, folder, clock):
    wrong = md5(b"something else")
    result = download(session, [item(BIG, checksum=f"md5:{wrong}")], attempts=2, clock=clock)
    assert isinstance(result.failed[0].error, Damaged)
    assert len(sandbox.requests()) == 2
    assert list(folder.iterdir()) == []


def test_a_large_file_that_always_breaks_off_and_cannot_be_carried_on_is_given_up(
    session, item, sandbox, service, clock
):
    service.ranges = False
    sandbox.fault("truncate", times=None, bytes=1_500_000)
    result = download(session, [item(BIG)], attempts=2, clock=clock)
    assert isinstance(result.failed[0].error, ConnectionFailed)
    assert len(sandbox.requests()) <= 3
