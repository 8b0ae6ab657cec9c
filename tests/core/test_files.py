"""Files that are there whole or not at all. What SIGKILL does to one is shown with the token file."""

import os
import stat
from pathlib import Path

import pytest

from sessionkit.files import replacing


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.txt"
    path.write_text("old")
    return path


def test_the_new_content_is_there_when_the_block_ends(report):
    with replacing(report) as file:
        file.write(b"new")
        assert report.read_text() == "old"
    assert report.read_text() == "new"
    assert list(report.parent.iterdir()) == [report]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(report):
    with pytest.raises(TypeError), replacing(report) as file:
        file.write("text")
    assert report.read_text() == "old"
    assert list(report.parent.iterdir()) == [report]


def test_a_full_disk_leaves_the_old_file(report, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), replacing(report) as file:
        file.write(b"new")
    assert report.read_text() == "old"
    assert list(report.parent.iterdir()) == [report]


@pytest.mark.parametrize(("mode", "seen"), [(0o666, 0o640), (0o600, 0o600)])
def test_it_is_readable_by_whom_the_umask_allows(report, mode, seen):
    before = os.umask(0o027)
    try:
        with replacing(report, mode) as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(report.stat().st_mode) == seen


def test_the_longest_name_a_file_may_have(tmp_path):
    path = tmp_path / ("\u00fc" * 127)  # 254 bytes
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_what_is_no_file_stays_what_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/null")):
        with pytest.raises(OSError, match="not a file"), replacing(path):
            pass
    assert stat.S_ISFIFO(pipe.stat().st_mode)
