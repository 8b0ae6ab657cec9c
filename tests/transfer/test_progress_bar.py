import io

import pytest

from sessionkit.transfer.progress import Progress, callback_of, describe, terminal_bar


def test_a_bar_is_drawn_where_somebody_watches():
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), force_terminal=True, width=100)
    show = terminal_bar("downloading", console)
    show(Progress(files=4, fetched=1, bytes=1_500_000))
    show(Progress(files=4, fetched=2, present=1, failed=1, bytes=3_000_000, finished=True))
    drawn = console.file.getvalue()
    assert "downloading" in drawn
    assert "4 of 4 files, 3.0 MB, 1 present, 1 failed" in drawn


def test_of_a_single_file_the_bytes_are_drawn():
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), force_terminal=True, width=100)
    show = terminal_bar("uploading", console)
    show(Progress(files=1, bytes=500_000, total=1_000_000))
    show(Progress(files=1, fetched=1, bytes=1_000_000, total=1_000_000, finished=True))
    assert "1 of 1 files, 1.0 MB" in console.file.getvalue()


def test_nobody_watches_a_pipe(capsys):
    assert callback_of(True, "downloading") is None
    assert callback_of(False, "downloading") is None
    assert callback_of(None, "downloading") is None
    assert callback_of(print, "downloading") is print


def test_progress_in_words():
    assert describe(Progress(fetched=3, filtered=1, bytes=100_000)) == "4 files, 0.1 MB, 1 filtered"
