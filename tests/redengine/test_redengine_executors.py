"""Where tasks run: each execution runs, fails, ends in time, is ended, and leaves nothing behind."""

from __future__ import annotations

import concurrent.futures
import functools
import multiprocessing
import os
import signal
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
import redengine_work as work

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import CallTimeout, ConfigurationError
from sessionkit_redengine import CommandTask, FuncTask, TaskFailed, TaskTerminationException, dask
from sessionkit_redengine.arguments import TerminationFlag
from sessionkit_redengine.conditions import FuncCond
from sessionkit_redengine.errors import TaskSetupError
from sessionkit_redengine.executors.local import ThreadExecutor
from sessionkit_redengine.runs import Job, Run


def wait_until_gone(pid):
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.01)


def alive(pid):
    """Whether a process runs; one that nobody has buried yet does not, once its last thread has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


LOCAL = ["main", "thread", "async", "process"]


@pytest.fixture
def real(make_session):
    """Sessions on the machine's clock."""

    def make(**options):
        return make_session(**{"clock": SYSTEM_CLOCK, **options})

    return make


@pytest.mark.parametrize("execution", LOCAL)
def test_a_task_returns_what_its_function_returns(real, execution):
    session = real(execution=execution)
    FuncTask(work.add, session=session, name="add", parameters={"a": 2, "b": 3, "c": 9})
    assert session.execute("add") == 5
    assert session.returns["add"] == 5
    assert [record.action for record in session.get_task_log()] == ["run", "success"]
    assert session["add"].status == "success"


@pytest.mark.parametrize("execution", LOCAL)
def test_a_task_that_raises_fails_with_its_traceback(real, execution):
    session = real(execution=execution)
    FuncTask(work.fail, session=session, name="fail")
    with pytest.raises(TaskFailed, match="ValueError: told to") as caught:
        session.execute("fail")
    assert caught.value.action == "fail"
    (record,) = session.get_task_log(action="fail")
    assert "redengine_work.py" in record.exc_text
    assert session["fail"].last_fail is not None
    assert "fail" not in session.returns


@pytest.mark.parametrize("execution", ["thread", "async", "process"])
def test_an_async_function_runs_everywhere(real, execution):
    session = real()
    FuncTask(work.async_add, session=session, name="a", execution=execution, parameters={"a": 1})
    assert session.execute("a") == 2


def test_an_async_function_runs_on_the_loop_unless_told_otherwise(real):
    session = real(execution="process")
    task = FuncTask(work.async_add, session=session, name="a", parameters={"a": 1})
    assert task.execution == "async"
    assert session.execute("a") == 2


def test_processes_and_threads_are_used_again(real):
    session = real(execution="process", max_process_count=1, shut_cond="task 'pid' has succeeded")
    pids = []
    FuncTask(work.pid, session=session, name="pid")
    tasks = [FuncTask(work.pid, session=session, name=f"pid{number}") for number in range(3)]
    session.run(*tasks)
    pids = {session.returns[task] for task in tasks}
    assert len(pids) == 1
    assert os.getpid() not in pids
    threads = set()
    for number in range(3):
        FuncTask(
            lambda: threads.add(threading.get_ident()),
            session=session,
            name=f"t{number}",
            execution="thread",
            start_cond=f"after task 't{number - 1}'" if number else "false",
        )
    for number in range(3):
        session.run(f"t{number}")
    assert os.getpid() not in threads


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes_can_be_started_in_every_way(real, method):
    session = real(execution="process", process_start=method)
    FuncTask(work.pid, session=session, name="pid")
    assert session.execute("pid") not in {os.getpid(), None}


def test_no_process_is_left(real):
    session = real(execution="process")
    FuncTask(work.pid, session=session, name="pid")
    pid = session.execute("pid")
    session.close()
    assert pid not in {child.pid for child in multiprocessing.active_children()}
    wait_until_gone(pid)


def test_no_more_processes_run_than_configured(real, tmp_path):
    session = real(execution="process", max_process_count=2)
    out = tmp_path / "out"
    for number in range(6):
        parameters = {"path": str(out), "text": str(number)}
        FuncTask(work.meet, session=session, name=str(number), parameters=parameters)
    session.run()
    depth = most = 0
    for character in out.read_text():
        depth += {"<": 1, ">": -1}.get(character, 0)
        most = max(most, depth)
    assert most == 2
    assert {task.status for task in session.tasks} == {"success"}


def test_those_that_wait_for_a_place_start_by_priority(real, tmp_path):
    session = real(execution="process", max_process_count=1)
    out = tmp_path / "out"
    for number, priority in enumerate([0, 5, 9, 5]):
        parameters = {"path": str(out), "text": str(number)}
        FuncTask(work.write, session=session, name=str(number), priority=priority, parameters=parameters)
    session.run()
    assert out.read_text() == "2130"


def test_a_process_that_dies_is_a_crash_and_the_next_run_gets_another(real):
    session = real(execution="process", max_process_count=1)
    FuncTask(work.die, session=session, name="die")
    FuncTask(work.pid, session=session, name="pid")
    with pytest.raises(TaskFailed, match="exit code 3") as caught:
        session.execute("die")
    assert caught.value.action == "crash"
    assert session["die"].last_crash is not None
    assert session.execute("pid") > 0


def test_a_process_that_is_killed_is_a_crash_and_the_next_run_gets_another(real, tmp_path):
    session = real(execution="process", max_process_count=1, shut_cond="task 'next' has finished")
    told = tmp_path / "pid"
    FuncTask(work.tell_and_sleep, session=session, name="slow", parameters={"path": told})
    FuncTask(work.pid, session=session, name="next", start_cond="after task 'slow' failed")

    def kill():
        while not (told.exists() and told.read_text().endswith("\n")):
            time.sleep(0.01)
        os.kill(int(told.read_text()), signal.SIGKILL)

    session["slow"].start_cond = "~has started"
    killer = threading.Thread(target=kill)
    killer.start()
    session.start()
    killer.join()
    (crash,) = session.get_task_log("slow", "crash")
    assert "exit code -9" in crash.exc_text
    assert session.returns["next"] != int(told.read_text())


def test_a_process_that_is_killed_while_it_waits_is_replaced(real):
    session = real(execution="process", max_process_count=1, shut_cond="task 'last' has finished")
    FuncTask(work.pid, session=session, name="first", start_cond="~has started")

    def kill():
        os.kill(session.returns["first"], signal.SIGKILL)
        wait_until_gone(session.returns["first"])

    FuncTask(kill, session=session, name="kill", start_cond="after task 'first'", execution="main")
    FuncTask(work.pid, session=session, name="last", start_cond="after task 'kill'")
    session.start()
    assert session["last"].status == "success"
    assert session.returns["last"] != session.returns["first"]


@pytest.mark.parametrize(
    ("execution", "kind"), [("process", "command"), ("process", "function"), ("thread", "command")]
)
def test_what_a_task_has_started_ends_with_it(real, tmp_path, execution, kind):
    session = real(execution=execution)
    told = tmp_path / "pid"
    if kind == "command":
        CommandTask(f"sleep 60 & echo $! > {told}; wait", shell=True, session=session, name="slow")
    else:
        FuncTask(work.start_a_program, session=session, name="slow", parameters={"told": str(told)})
    session["slow"].end_cond = FuncCond(lambda: told.exists() and told.read_text().endswith("\n"))
    session.config.cycle_sleep = 0.02
    with pytest.raises(TaskFailed) as caught:
        session.execute("slow")
    assert caught.value.action == "terminate"
    wait_until_gone(int(told.read_text()))


@pytest.mark.parametrize(
    "function", [lambda: 1, work.unpicklable, work.raise_picky], ids=["task", "result", "error"]
)
def test_what_cannot_be_pickled_fails_the_run_and_nothing_else(real, function):
    session = real(execution="process", max_process_count=1)
    FuncTask(function, session=session, name="a")
    FuncTask(work.add, session=session, name="b", parameters={"a": 1})
    with pytest.raises(TaskFailed):
        session.execute("a")
    assert session.execute("b") == 2


@pytest.mark.parametrize("execution", ["process", "async"])
def test_a_run_that_takes_too_long_is_ended(real, execution):
    session = real(execution=execution)
    function = work.async_sleep if execution == "async" else work.sleep
    FuncTask(function, session=session, name="slow", timeout=0.2)
    begun = time.monotonic()
    with pytest.raises(TaskFailed) as caught:
        session.execute("slow")
    assert caught.value.action == "terminate"
    assert time.monotonic() - begun < 20
    assert session["slow"].last_terminate is not None


def test_a_thread_is_asked_to_end(real):
    session = real(execution="thread")

    def patient(flag=TerminationFlag()):
        if flag.wait(20):
            raise TaskTerminationException

    FuncTask(patient, session=session, name="patient", timeout="100 ms")
    with pytest.raises(TaskFailed) as caught:
        session.execute("patient")
    assert caught.value.action == "terminate"


def test_a_thread_that_does_not_listen_goes_on_and_ends_as_it_will(real):
    session = real(execution="thread")
    FuncTask(work.sleep, session=session, name="deaf", timeout=0.05, parameters={"seconds": 0.3})
    assert session.execute("deaf") == "slept"
    assert session["deaf"].status == "success"


def test_a_program_is_killed_with_its_children(real):
    session = real(execution="thread")
    # The child has the program's output, which is read to its end.
    CommandTask("sleep 60 & wait", shell=True, session=session, name="slow", timeout=0.2)
    begun = time.monotonic()
    with pytest.raises(TaskFailed) as caught:
        session.execute("slow")
    assert caught.value.action == "terminate"
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("execution", ["process", "async"])
def test_the_end_condition_ends_a_run(real, execution):
    session = real(execution=execution)
    function = work.async_sleep if execution == "async" else work.sleep
    FuncTask(function, session=session, name="slow", end_cond="scheduler has run over 300 ms")
    with pytest.raises(TaskFailed) as caught:
        session.execute("slow")
    assert caught.value.action == "terminate"


def test_another_task_may_be_what_ends_a_run(real):
    session = real(execution="process", shut_cond="task 'slow' has terminated")
    FuncTask(
        work.sleep,
        session=session,
        name="slow",
        start_cond="true",
        end_cond="task 'stop' has succeeded",
        execution="process",
    )
    FuncTask(
        work.add,
        session=session,
        name="stop",
        start_cond="task 'slow' is running",
        parameters={"a": 1},
        execution="thread",
    )
    session.start()
    assert session["slow"].status == "terminate"


def test_a_run_can_be_terminated_from_anywhere(real):
    session = real(execution="process", shut_cond="task 'slow' has terminated")
    task = FuncTask(work.sleep, session=session, name="slow", start_cond="daily")
    timer = threading.Timer(0.3, task.terminate)
    timer.start()
    session.start()
    timer.join()
    assert task.status == "terminate"
    assert task.force_termination is False


def test_starting_never_blocks_the_scheduler(real):
    session = real(execution="process", process_start="spawn", shut_cond="task 'slow' has succeeded")
    ticks = []
    FuncTask(work.pid, session=session, name="slow", start_cond="true")
    FuncTask(
        lambda: ticks.append(time.monotonic()),
        session=session,
        name="tick",
        start_cond="every 20 ms",
        execution="main",
    )
    session.start()
    gaps = [later - earlier for earlier, later in pairwise(ticks)]
    assert len(ticks) >= 3
    assert sorted(gaps)[len(gaps) // 2] < 0.2


@pytest.mark.parametrize(
    "kind", [concurrent.futures.ThreadPoolExecutor, concurrent.futures.ProcessPoolExecutor]
)
def test_any_executor_runs_tasks(real, kind):
    options = {"mp_context": multiprocessing.get_context("spawn")} if "Process" in kind.__name__ else {}
    with kind(1, **options) as pool:
        session = real(execution=pool)
        FuncTask(work.add, session=session, name="add", parameters={"a": 2})
        FuncTask(work.fail, session=session, name="fail")
        assert session.execute("add") == 3
        with pytest.raises(TaskFailed, match="told to"):
            session.execute("fail")


def test_an_executor_that_refuses_fails_the_run(real):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    pool.shutdown()
    session = real(execution=pool)
    FuncTask(work.add, session=session, name="add", parameters={"a": 2})
    with pytest.raises(TaskFailed, match="after shutdown"):
        session.execute("add")
    session.config.silence_task_prerun = False
    with pytest.raises(TaskSetupError, match="after shutdown"):
        session.run("add")


def test_an_executor_that_cancels_terminates_the_run(real):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        hold = threading.Event()
        pool.submit(hold.wait, 20)
        session = real(execution=pool)
        FuncTask(work.pid, session=session, name="a", timeout=0.1)
        with pytest.raises(TaskFailed) as caught:
            session.execute("a")
        hold.set()
    assert caught.value.action == "terminate"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Dask cluster of this machine, whose worker is a process."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    folder = str(tmp_path_factory.mktemp("dask"))
    with distributed.LocalCluster(**options, local_directory=folder) as made:
        yield made.scheduler_address


@pytest.fixture
def dask_pool(cluster):
    with dask(cluster) as pool:
        yield pool


def test_dask_runs_tasks_in_the_processes_of_a_cluster(real, dask_pool):
    session = real(execution=dask_pool)
    FuncTask(work.pid, session=session, name="pid")
    FuncTask(lambda: 3, session=session, name="lambda")  # which Dask's own pickling can send
    FuncTask(work.fail, session=session, name="fail")
    FuncTask(work.raise_picky, session=session, name="picky")
    assert session.execute("pid") not in {os.getpid(), None}
    assert session.execute("lambda") == 3
    for name, message in (("fail", "told to"), ("picky", "this and that")):
        with pytest.raises(TaskFailed, match=message):
            session.execute(name)


def test_what_a_task_says_on_dask_is_heard_with_its_outcome(real, dask_pool):
    session = real(execution=dask_pool)
    task = FuncTask(work.speak, session=session, name="a")
    session.execute("a")
    _, lines = session.history.output(task.state.run_id)
    assert {(line.stream, line.text) for line in lines} >= {("stdout", "to out"), ("stderr", "to err")}


def test_dask_runs_a_task_anew_each_time(real, dask_pool, tmp_path):
    session = real(execution=dask_pool, multilaunch=True)
    out = tmp_path / "out"
    task = FuncTask(work.write, session=session, name="a", parameters={"path": str(out)})
    futures = [task.run() for _ in range(3)]
    session.run(obey_cond=True)
    assert [future.exception(1) for future in futures] == [None] * 3
    assert out.read_text() == "xxx"


def test_dask_takes_back_a_run_that_takes_too_long(real, dask_pool):
    session = real(execution=dask_pool)
    FuncTask(work.sleep, session=session, name="slow", timeout=0.3, parameters={"seconds": 2})
    with pytest.raises(TaskFailed) as caught:
        session.execute("slow")
    assert caught.value.action == "terminate"


def test_a_dask_executor_that_was_shut_down_is_gone(real, cluster):
    with dask(cluster) as pool:
        session = real(execution=pool)
        FuncTask(work.pid, session=session, name="a")
        assert session.execute("a")
    with pytest.raises(TaskFailed):
        session.execute("a")


@pytest.mark.parametrize("function", [lambda: 1, work.unpicklable], ids=["task", "result"])
def test_what_a_pool_of_ones_own_cannot_send_fails_the_run_and_nothing_else(real, function):
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        session = real(execution=pool)
        FuncTask(function, session=session, name="a")
        FuncTask(work.raise_picky, session=session, name="picky")
        FuncTask(work.add, session=session, name="b", parameters={"a": 1})
        for name, action in (("a", "fail"), ("picky", "fail")):
            with pytest.raises(TaskFailed) as caught:
                session.execute(name)
            assert caught.value.action == action
        assert session.execute("b") == 2


def test_what_is_no_execution(session):
    with pytest.raises(ConfigurationError, match="bogus"):
        FuncTask(print, session=session, name="a", execution="bogus")
    with pytest.raises(ConfigurationError, match="bogus"):
        session.config.execution = "bogus"


def test_a_call_has_a_deadline(real):
    session = real(execution="thread", shut_cond="task 'slow' has succeeded")
    FuncTask(work.sleep, session=session, name="slow", parameters={"seconds": 1}, start_cond="true")
    FuncTask(work.sleep, session=session, name="other", parameters={"seconds": 0.6})
    thread = threading.Thread(target=session.start)
    thread.start()
    while not session.scheduler.is_alive:
        time.sleep(0.01)
    with pytest.raises(CallTimeout, match="'other'"):
        session.execute("other", timeout=0.1)
    thread.join()


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_no_job_is_forgotten_however_threads_wake_and_sleep(limit):
    ended = []
    all_ended = threading.Event()

    def done(run, outcome):
        ended.append(run)
        places.release()
        if len(ended) == 2_000:
            all_ended.set()

    places = threading.Semaphore(limit)
    pool = ThreadExecutor(done, limit)
    for number in range(2_000):
        assert places.acquire(timeout=20)
        call = functools.partial(time.sleep, 0.0001) if number % 4 == 0 else time.time
        pool.start(Run(str(number), None, 0.0), Job(call, {}))
    assert all_ended.wait(20)
    pool.close(5)
    assert not any(thread.is_alive() for thread in pool._threads)
    assert len(pool._threads) <= limit


def test_jobs_that_wait_for_each_other_run_side_by_side():
    together = threading.Barrier(20, timeout=10)
    outcomes = []
    pool = ThreadExecutor(lambda _, outcome: outcomes.append(outcome.action), 20)
    for number in range(20):
        pool.start(Run(str(number), None, 0.0), Job(together.wait, {}))
    pool.close(10)
    assert outcomes == ["success"] * 20


def test_tasks_may_run_beside_themselves(real):
    session = real(execution="thread")
    together = threading.Barrier(2, timeout=10)
    FuncTask(together.wait, session=session, name="a", multilaunch=True)
    futures = [session["a"].run(), session["a"].run()]
    session.run("a", obey_cond=True)
    assert sorted(future.result(1) for future in futures) == [0, 1]


def test_runs_with_parameters_of_their_own(session):
    FuncTask(work.add, session=session, name="add", parameters={"a": 1, "b": 1})
    futures = [session["add"].run(a=number) for number in range(3)]
    session.run(obey_cond=True)
    assert [future.result(0) for future in futures] == [1, 2, 3]
