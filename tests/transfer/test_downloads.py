import threading
import time

import pytest
from files_service import content, md5

from sessionkit.errors import ConfigurationError, NotFound, UnexpectedResponse
from sessionkit.transfer import Download, TransferFailed, digest_of, download
from sessionkit.transfer.items import Downloaded


def states(result):
    return [each.state for each in result]


def test_many_files_are_fetched_in_the_order_they_were_given(session, item, complete):
    names = [f"f{number}-{number * 1000 + 1}.bin" for number in range(40)]
    result = download(session, [item(name) for name in names], concurrency=8)
    assert [each.item.url for each in result] == [f"/{name}" for name in names]
    assert result.ok
    assert [path.name for path in result.paths] == names
    assert repr(result) == "<Downloads 40 fetched>"
    complete(*names)


def test_a_file_may_be_empty(session, item, folder):
    assert download(session, [item("e-0.bin", size=0, checksum=f"md5:{md5(b'')}")]).ok
    assert (folder / "e-0.bin").read_bytes() == b""


def test_nothing_to_fetch_is_no_trouble(session):
    result = download(session, [])
    assert result.ok
    assert len(result) == 0
    assert repr(result) == "<Downloads of nothing>"


def test_items_are_taken_as_workers_become_free(session, item):
    taken = []

    def items():
        for number in range(30):
            taken.append(number)
            yield item(f"f{number}-100.bin")

    seen = []
    result = download(
        session, items(), concurrency=3, progress=lambda now: seen.append((len(taken), now.done, now.files))
    )
    assert len(result) == 30
    assert all(begun - done <= 4 for begun, done, _ in seen)
    assert {files for *_, files in seen} == {None}


def test_what_the_items_raise_is_raised_after_the_files_under_way(session, item, complete):
    def items():
        yield item("a-100.bin")
        raise LookupError("the search failed")

    with pytest.raises(LookupError, match="the search failed"):
        download(session, items(), concurrency=2)
    complete("a-100.bin")


@pytest.mark.parametrize("how", [{}, {"existing": "check"}, {"existing": "skip"}])
def test_a_file_that_is_there_is_not_fetched_again(session, item, sandbox, how):
    download(session, [item("a-1000.bin")])
    result = download(session, [item("a-1000.bin")], **how)
    assert states(result) == ["present"]
    assert result.all[0].size == 1000
    statuses = [each.status for each in sandbox.requests()]
    assert statuses == ([200] if how.get("existing") == "skip" else [200, 304])


def test_a_file_that_is_there_is_checked_without_asking_when_enough_is_known(session, item, sandbox, folder):
    body = content("a-1000.bin")
    known = [
        {"size": 1000},
        {"checksum": f"md5:{md5(body).upper()}"},
        {"size": 1000, "checksum": f"md5:{md5(body)}"},
    ]
    download(session, [item("a-1000.bin")])
    for each in known:
        assert states(download(session, [item("a-1000.bin", **each)])) == ["present"]
    assert len(sandbox.requests()) == 1
    (folder / "a-1000.bin").write_bytes(body[::-1])
    assert states(download(session, [item("a-1000.bin", **known[2])])) == ["fetched"]
    assert (folder / "a-1000.bin").read_bytes() == body


def test_another_file_of_that_name_is_replaced(session, item, folder, complete):
    folder.mkdir()
    (folder / "a-1000.bin").write_bytes(b"something else")
    assert states(download(session, [item("a-1000.bin")], existing="skip")) == ["present"]
    assert states(download(session, [item("a-1000.bin")])) == ["fetched"]
    complete("a-1000.bin")
    assert states(download(session, [item("a-1000.bin")], existing="replace")) == ["fetched"]


def test_failures_are_named_and_only_they_are_asked_for_again(session, item, service, sandbox, complete):
    items = [item("a-10.bin"), item("missing-1.bin"), item("b-20.bin")]
    result = download(session, items)
    assert states(result) == ["fetched", "failed", "fetched"]
    assert isinstance(result.failed[0].error, NotFound)
    with pytest.raises(TransferFailed, match="1 of the files failed:\n  /missing-1") as caught:
        result.raise_for_failures()
    assert caught.value.failed == tuple(result.failed)
    complete("a-10.bin", "b-20.bin")
    before = len(sandbox.requests())
    again = result.retry()
    assert len(sandbox.requests()) == before + 1
    assert states(again) == ["fetched", "failed", "fetched"]
    assert again.all[0] is result.all[0]


def test_a_filter_sees_the_headers_and_leaves_files_out(session, item, service, complete):
    service.headers["dud-1000.bin"] = {"X-Dud": "1"}
    items = [item("a-1000.bin"), item("dud-1000.bin")]
    result = download(session, items, accept=lambda answer: "x-dud" not in answer.headers)
    assert states(result) == ["fetched", "filtered"]
    assert result.ok
    complete("a-1000.bin")


def test_a_filter_that_fails_fails_its_file_only(session, item):
    def accept(answer):
        if answer.url.endswith("bad-10.bin"):
            raise ZeroDivisionError
        return True

    result = download(session, [item("bad-10.bin"), item("a-10.bin")], accept=accept)
    assert states(result) == ["failed", "fetched"]
    assert isinstance(result.failed[0].error, ZeroDivisionError)


def test_a_file_may_be_named_by_its_answer(session, sandbox, folder, complete):
    def name(answer):
        return answer.url.partition("?")[0]

    items = [Download(f"{sandbox.url}/named/{each}", folder, name=name) for each in ("a-10.bin", "b-20.bin")]
    assert states(download(session, items)) == ["fetched", "fetched"]
    complete("a-10.bin", "b-20.bin")
    again = download(session, items)
    assert states(again) == ["present", "present"]
    assert [each.received for each in again] == [0, 0]


@pytest.mark.parametrize("name", ["../../evil", "..", "", "a/..", "/", "x\0y", "..\\..\\evil"])
def test_an_answer_cannot_name_a_file_outside_the_folder(session, sandbox, folder, name, tmp_path):
    item = Download(f"{sandbox.url}/files/a-10.bin", folder, name=lambda answer: name)
    result = download(session, [item])
    if result.ok:
        assert result.paths == [folder / "evil"]
    else:
        assert isinstance(result.failed[0].error, UnexpectedResponse)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["out"])


def test_progress_counts_every_way_a_file_can_end(session, item, folder, service):
    service.headers["dud-10.bin"] = {"X-Dud": "1"}
    download(session, [item("old-10.bin")])
    names = ["old-10.bin", "new-500000.bin", "dud-10.bin", "missing-1.bin"]
    seen = []
    download(
        session,
        [item(name) for name in names],
        accept=lambda answer: "x-dud" not in answer.headers,
        progress=seen.append,
    )
    last = seen[-1]
    assert last.finished
    assert not seen[-2].finished
    assert (last.files, last.done, last.fetched, last.present, last.filtered, last.failed) == (
        4,
        4,
        1,
        1,
        1,
        1,
    )
    assert (last.bytes, last.total) == (500_000, 500_000)
    assert [now.done for now in seen] == sorted(now.done for now in seen)


def test_a_progress_callback_that_fails_costs_no_file(session, item, caplog):
    def progress(now):
        raise ZeroDivisionError

    assert download(session, [item("a-10.bin"), item("b-10.bin")], progress=progress).ok
    assert [record.message for record in caplog.records] == [
        "the progress callback failed and is not called again"
    ]


def test_no_more_files_are_under_way_than_asked_for(session, item):
    most, now, lock, together = [0], [0], threading.Lock(), threading.Event()

    def accept(answer):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == 4:
                together.set()
        together.wait(20)
        time.sleep(0.005)  # for one too many
        with lock:
            now[0] -= 1
        return True

    big = [item(f"f{n}-2000000.bin") for n in range(30)]
    assert download(session, big, concurrency=4, accept=accept).ok
    assert most == [4]


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"attempts": 0}, {"existing": "maybe"}], ids=lambda each: next(iter(each))
)
def test_arguments_that_cannot_work(session, options):
    with pytest.raises(ConfigurationError):
        download(session, [], **options)


@pytest.mark.parametrize("checksum", ["md5:xyz", "crc32:00", "nonsense"])
def test_checksums_that_cannot_be_checked(folder, checksum):
    with pytest.raises(ConfigurationError):
        Download("/a", folder, checksum=checksum)


def test_a_records_url_shows_no_signature(folder):
    item = Download("https://x.test/a?Signature=abcdef0123456789&b=1", folder)
    assert "abcdef0123456789" not in str(TransferFailed([Downloaded(item, "failed", error=ValueError("x"))]))


def test_the_digest_of_a_file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 500_000)
    assert digest_of(path) == md5(b"abc" * 500_000)
    assert len(digest_of(path, "sha256")) == 64
