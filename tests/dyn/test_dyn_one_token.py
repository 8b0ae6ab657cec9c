"""However many threads and processes share a session: one token request, no failed and no unsigned call."""

import multiprocessing
import os
import threading

import pytest

import sessionkit
from sessionkit.tokens import FileTokenStore
from sessionkit_dyn import DynectSession, zones

ZONES = ["lan.example", "shop.example"]


def names():
    return [zone.name for zone in zones.get_all_zones()]


def received(sandbox):
    return [(entry.method, entry.path, "auth-token" in entry.headers) for entry in sandbox.requests()]


@pytest.mark.parametrize("state", ["cold", "expire_token", "revoke_token", "idle"])
def test_sixteen_threads_cause_one_token_request(sandbox, dyn, manual_clock, state):
    names()
    if state == "cold":
        dyn.sign_out()
    elif state == "idle":
        manual_clock.advance(10_000)
    else:
        sandbox.fault(state)
    sandbox.clear()
    barrier = threading.Barrier(16)

    def work(_):
        barrier.wait()
        return names()

    with sessionkit.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(16))) == [ZONES] * 16
    calls = received(sandbox)
    assert [path for method, path, _ in calls if method == "POST"] == ["/REST/Session/"]
    assert all(signed for method, _, signed in calls if method != "POST")


def _process(url, path, queue):
    store = FileTokenStore(path)
    with DynectSession("acme", "ann", "sandbox-ann", host=url, token_store=store):
        queue.put(names())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_processes_that_share_a_token_file_cause_one_token_request(sandbox, tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    path = tmp_path / "tokens.json"
    processes = [context.Process(target=_process, args=(sandbox.url, path, queue)) for _ in range(4)]
    for process in processes:
        process.start()
    answers = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert answers == [ZONES] * 4
    assert [entry.method for entry in sandbox.requests(path="/REST/Session*")] == ["POST"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_shares_the_token_and_nothing_else(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    for _ in range(5):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                assert len(names()) == 3
                dyn.close()
                status = 0
            finally:
                os._exit(status)
        assert len(names()) == 3
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    zone.publish()
    assert [record.address for record in zone.get_all_records_by_type("A")] == ["192.0.2.1"]
    assert [entry.method for entry in sandbox.requests(path="/REST/Session*")] == ["POST"]
