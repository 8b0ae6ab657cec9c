"""Sessions: the default one, separate ones, their options, hooks, and the application object."""

from __future__ import annotations

import asyncio
import logging
import pickle
import subprocess
import sys
import threading
import time
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import redengine_work as work

import sessionkit
import sessionkit_redengine
from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigurationError, SessionClosed
from sessionkit_redengine import (
    CodeTask,
    CommandTask,
    Config,
    FuncTask,
    Grouper,
    ParserError,
    RedEngine,
    Restart,
    SchedulerExit,
    SchedulerRestart,
    Session,
    ShutDown,
    TaskExists,
    TaskNotFound,
    default,
    session,
)
from sessionkit_redengine.arguments import Return
from sessionkit_redengine.conditions import All, DependSuccess, TaskExecutable
from sessionkit_redengine.periods import TimeOfDay

# --- the default session ---


def test_there_is_always_one_and_objects_go_to_it():
    task = FuncTask(print, name="a")
    assert session["a"] is task
    assert task.session == session
    assert "a" in session
    with Session.detached() as other:
        FuncTask(print, name="b", session=other)
    assert "b" not in session


def test_the_name_follows_the_default_wherever_it_was_imported():
    first = session.set_as_default and session.name
    with Session.detached(name="mine") as mine:
        assert session.name == first
        mine.set_as_default()
        assert session.name == "mine"
        assert session == mine
        FuncTask(print, name="a")
        assert "a" in mine
        seen = []
        thread = threading.Thread(target=lambda: seen.append(session.name))
        thread.start()
        thread.join()
        assert seen == ["mine"]
        session.parameters = mine.parameters
    assert session.name == "redengine"  # one that was closed is replaced


def test_what_was_made_for_the_default_session_stays_with_it(make_session):
    first = default.get()
    task = FuncTask(work.pid, session=sessionkit_redengine.session, name="a")
    app = RedEngine(session=sessionkit_redengine.session)
    make_session().set_as_default()
    assert task.session is app.session is first
    first.close()


def test_it_is_an_ordinary_session_of_the_framework():
    with Session(name="current") as current:
        assert sessionkit.current(Session) is current
        assert Session() is current
        assert current.identity.metakey == "redengine"
    with pytest.raises(SessionClosed):
        current.start()
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(current)


def test_sessions_are_separate_in_every_way(make_session):
    one, two = make_session(parameters={"x": 1}), make_session(parameters={"x": 2})
    for made in (one, two):
        FuncTask(lambda x: x, session=made, name="a", start_cond="daily")
        FuncTask(lambda x: x, session=made, name="b", start_cond="after task 'a'")
    one.config.shut_cond = "scheduler has run over 1 minute"
    one.start()
    assert (one.returns["b"], len(two.returns)) == (1, 0)
    assert (one["a"].status, two["a"].status) == ("success", None)
    assert list(two.get_task_log()) == []


# --- options ---


def test_every_way_to_give_an_option(make_session):
    for made in (
        make_session(config={"execution": "thread", "cycle_sleep": 0.5}, execution="thread"),
        make_session(config=Config(execution="thread", cycle_sleep=0.5), execution="thread"),
        make_session(execution="thread", cycle_sleep=0.5),
        make_session(task_execution="thread", cycle_sleep="500 ms", execution="thread"),
    ):
        assert (made.config.execution, made.config.cycle_sleep) == ("thread", 0.5)


@pytest.mark.parametrize(
    ("option", "value", "kept"),
    [
        ("timeout", 10, 10.0),
        ("timeout", "10 minutes", 600.0),
        ("timeout", "00:10:00", 600.0),
        ("timeout", timedelta(minutes=1), 60.0),
        ("timeout", "never", float("inf")),
        ("cycle_sleep", None, None),
        ("cycle_sleep", 1.9, 1.9),
        ("max_process_count", 3, 3),
        ("timezone", "Europe/Helsinki", ZoneInfo("Europe/Helsinki")),
        ("execution", None, "process"),
    ],
)
def test_values_of_options(option, value, kept):
    assert getattr(Config(**{option: value}), option) == kept


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("debug", True),
        ("colour", "red"),
        ("task_pre_exist", "explode"),
        ("use_instance_naming", "yes"),
        ("silence_cond_check", 1),
        ("timeout", "soon"),
        ("cycle_sleep", -1),
        ("max_process_count", 0),
        ("max_thread_count", "many"),
        ("restarting", "never"),
        ("param_materialize", "now"),
        ("process_start", "magic"),
        ("timezone", "Nowhere"),
        ("shut_cond", "dayly"),
        ("func_run_id", 3),
        ("task_logger_basename", ""),
    ],
)
def test_what_is_no_option_or_no_value(option, value, make_session):
    with pytest.raises(ConfigurationError):
        make_session(**{option: value})
    with pytest.raises(ConfigurationError):
        setattr(Config(), option, value)


def test_a_configuration_is_a_mapping():
    with pytest.raises(ConfigurationError, match="mapping"):
        Session.detached(config=3)


class TestNamesThatExist:
    def test_raise(self, session):
        FuncTask(print, session=session, name="x")
        with pytest.raises(TaskExists, match="'x' already exists"):
            FuncTask(print, session=session, name="x")

    def test_replace(self, make_session):
        made = make_session(task_pre_exist="replace")
        first, second = (FuncTask(print, session=made, name="x") for _ in range(2))
        assert made.tasks == (second,)
        assert first is not second

    @pytest.mark.parametrize("where", [None, "runs.db"])
    def test_replace_while_it_runs(self, make_session, clock, tmp_path, where):
        """What ran today under this name has run today; a run on its way is waited for."""
        made = make_session(task_pre_exist="replace", history=where and tmp_path / where)
        runs = []

        def put(which, hours=0):
            def work():
                runs.append(which)
                if hours:
                    clock.advance(3_600 * hours)
                    put("third")

            FuncTask(work, session=made, name="x", start_cond="daily")

        put("first")
        FuncTask(lambda: put("second", 2), session=made, name="y", start_cond="yearly after Jan 1st 05:00")
        made.config.shut_cond = "scheduler has run over 70 hours"
        made.start()
        assert runs == ["first", "second", "third"]
        assert made["x"].status == "success"
        assert [record.action for record in made.get_task_log("x")] == ["run", "success"] * 3

    def test_ignore(self, make_session):
        made = make_session(task_pre_exist="ignore")
        first, second = (FuncTask(print, session=made, name="x") for _ in range(2))
        assert made.tasks == (first,)
        assert second.name == "x"
        second.disabled = True
        assert second.status is None

    def test_rename(self, make_session):
        made = make_session(task_pre_exist="rename")
        tasks = [FuncTask(print, session=made, name="x") for _ in range(3)]
        assert [task.name for task in tasks] == ["x", "x - 1", "x - 2"]


def test_instance_naming(make_session):
    made = make_session(use_instance_naming=True)
    task = FuncTask(print, session=made)
    assert task.name == str(id(task))
    assert FuncTask(print, session=made, name="named").name == "named"


def test_shut_cond_ends_the_scheduler(make_session, clock):
    made = make_session(shut_cond="task 'a' has succeeded")
    start = clock.time()
    FuncTask(int, session=made, name="a", start_cond="daily after 10:00")
    made.start()
    assert clock.time() - start == 36_000


def test_one_cycle(make_session):
    made = make_session(shut_cond="scheduler has more than 0 cycles")
    FuncTask(int, session=made, name="a", start_cond="true")
    made.start()
    assert made.scheduler.cycles == 1
    assert made["a"].status == "success"


def test_a_failing_shut_condition_is_reported(make_session, clock):
    made = make_session(shut_cond="after task 'nobody' | scheduler has run over 1 minute")
    FuncTask(
        lambda: clock.time() > 0 and made.shut_down(),
        session=made,
        name="end",
        start_cond="daily after 01:00",
    )
    made.start()
    assert "shut condition failed" in made.problems[0]


def test_run_ids_of_ones_own(make_session):
    numbers = iter(range(10))
    made = make_session(func_run_id=lambda task, parameters: f"{task.name}-{next(numbers)}")
    FuncTask(int, session=made, name="a")
    made.run("a")
    assert [record.run_id for record in made.get_task_log()] == ["a-0", "a-0"]


def test_parameters_and_options_may_be_set_as_a_whole_or_shared(make_session, clock):
    config = Config(execution="main", timezone="UTC")
    one, two = make_session(config=config), make_session(config=config)
    for made in (one, two):
        made.parameters = {"mode": "test"}
        FuncTask(int, session=made, name="a", start_cond="daily & param 'mode' is 'live'")

        def change(made=made):
            made.parameters = {"mode": "live"}
            made.config.shut_cond = "task 'a' has succeeded"

        FuncTask(change, session=made, name="change", start_cond="daily after 05:00")
        made.start()
        assert made["a"].status == "success"
        config.shut_cond = None


# --- the scheduler's life ---


def test_hooks_are_called_around(make_session):
    made = make_session(shut_cond="scheduler has more than 0 cycles")
    order = []

    def around(name):
        def hook(subject):
            order.append(f"{name} begins")
            raised = yield
            order.append(f"{name} ends" + (f" with {raised[0].__name__}" if raised and raised[0] else ""))

        return hook

    made.hook_startup()(around("startup"))
    made.hook_scheduler_cycle()(around("cycle"))
    made.hook_shutdown()(around("shutdown"))
    made.hook_task_init()(around("init"))
    made.hook_task_execute()(around("task"))
    made.hook_task_execute()(lambda task: order.append(f"plain {task.name}"))
    FuncTask(lambda: order.append("first"), session=made, name="first", on_startup=True)
    FuncTask(work.fail, session=made, name="body", start_cond="true")
    FuncTask(lambda: order.append("last"), session=made, name="last", on_shutdown=True)
    made.start()
    assert order == [
        *["init begins", "init ends"] * 3,
        *("startup begins", "task begins", "plain first", "first", "task ends", "startup ends"),
        *("cycle begins", "task begins", "plain body", "task ends with ValueError", "cycle ends"),
        *("shutdown begins", "task begins", "plain last", "last", "task ends", "shutdown ends"),
    ]


def test_a_hook_that_fails_fails_the_run(make_session):
    made = make_session()
    made.hook_task_execute()(lambda task: 1 / 0)
    FuncTask(int, session=made, name="a")
    made.run("a")
    assert made["a"].status == "fail"


def test_execute_hooks_run_where_the_task_runs(make_session, tmp_path):
    made = make_session(execution="process", clock=SYSTEM_CLOCK)
    made.hook_task_execute()(work.note_task)
    FuncTask(work.add, session=made, name="a", parameters={"a": 1})
    assert made.execute("a") == 2


def test_startup_and_shutdown_tasks_run_only_then(make_session):
    made = make_session(shut_cond="scheduler has run over 3 days")
    order = []
    FuncTask(lambda: order.append("down"), session=made, name="down", on_shutdown=True)
    FuncTask(
        lambda: order.append("never"), session=made, name="never", on_startup=True, start_cond="false & daily"
    )
    FuncTask(lambda: order.append("up 2"), session=made, name="up2", on_startup=True)
    FuncTask(
        lambda: order.append("up 1"),
        session=made,
        name="up1",
        on_startup=True,
        priority=1,
        start_cond="daily",
    )
    FuncTask(lambda: order.append("work"), session=made, name="work", start_cond="daily after 12:00")
    made.start()
    assert order == ["up 1", "up 2", "work", "work", "work", "down"]


@pytest.mark.parametrize("kind", [ShutDown, SchedulerExit])
def test_a_task_may_end_the_scheduler(make_session, kind):
    made = make_session()

    def end():
        raise SchedulerExit

    if kind is ShutDown:
        ShutDown(session=made, start_cond="daily after 10:00")
    else:
        FuncTask(end, session=made, name="shutdown", start_cond="daily after 10:00")
    made.start()
    assert made["shutdown"].status == "success"


@pytest.mark.parametrize("by", ["task", "raise", "method"])
def test_a_scheduler_may_be_called_again(make_session, by):
    made = make_session(
        restarting="recall", shut_cond="task 'count' has succeeded past 1 hour & param 'rounds' is '3'"
    )
    starts = []

    def count():
        made.parameters["rounds"] = len(starts)
        if by == "raise" and len(starts) < 3:
            raise SchedulerRestart
        if by == "method" and len(starts) < 3:
            made.restart()

    @made.hook_startup()
    def started(scheduler):
        starts.append(1)

    FuncTask(count, session=made, name="count", start_cond="every 1 minute")
    if by == "task":
        Restart(session=made, start_cond="after task 'count'")
    made.start()
    assert len(starts) == 3


def test_replacing_the_process(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "from sessionkit_redengine import RedEngine, Restart\n"
        "app = RedEngine(execution='main', restarting=sys.argv[1])\n"
        "print('begins', flush=True)\n"
        "if sys.argv[1] == 'fresh': print('leads', os.getsid(0) == os.getpid(), flush=True)\n"
        f"if os.path.exists({str(tmp_path / 'seen')!r}): sys.exit()\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').close()\n"
        "Restart(session=app.session, start_cond='true')\n"
        "app.run()\n"
    )
    fresh = "begins\nleads False\nbegins\nleads True\n"
    for how, said in (("replace", "begins\nbegins\n"), ("relaunch", "begins\nbegins\n"), ("fresh", fresh)):
        (tmp_path / "seen").unlink(missing_ok=True)
        output = subprocess.run(
            [sys.executable, str(program), how],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=_env(),
        )
        assert output.stdout == said, output.stderr


def test_a_main_module_without_a_guard_is_one_error(tmp_path):
    (tmp_path / "unguarded.py").write_text(
        "from sessionkit_redengine import Session, FuncTask\n"
        "import os\n"
        "session = Session(process_start='spawn')\n"
        "FuncTask(os.getpid, session=session, name='a')\n"
        "session.run()\n"
    )
    output = subprocess.run(
        [sys.executable, "unguarded.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=_env(),
    )
    assert 'put what starts it below `if __name__ == "__main__":`' in output.stderr
    assert output.stderr.count("Traceback") == 1


def test_shutting_down_waits_for_what_runs(make_session):
    made = make_session(execution="thread", clock=SYSTEM_CLOCK, shut_cond="task 'a' is running")
    FuncTask(work.sleep, session=made, name="a", start_cond="true", parameters={"seconds": 0.2})
    made.start()
    assert made["a"].status == "success"


@pytest.mark.parametrize("how", ["instant", "permanent", "patience", "twice"])
def test_shutting_down_ends_what_is_not_waited_for(make_session, how):
    options = {"instant": {"instant_shutdown": True}, "patience": {"shutdown_timeout": 0.1}}.get(how, {})
    made = make_session(execution="process", clock=SYSTEM_CLOCK, **options)
    FuncTask(work.sleep, session=made, name="a", start_cond="daily", permanent=how == "permanent")

    def end():
        made.shut_down()
        if how == "twice":
            made.shut_down()

    FuncTask(
        end,
        session=made,
        name="end",
        start_cond="task 'a' is running & scheduler has run over 300 ms",
        execution="main",
    )
    begun = time.monotonic()
    made.start()
    assert made["a"].status == "terminate"
    assert time.monotonic() - begun < 20


def test_ctrl_c_ends_everything_and_is_raised(make_session):
    made = make_session(execution="process", clock=SYSTEM_CLOCK)
    FuncTask(work.sleep, session=made, name="a", start_cond="daily")

    def interrupt():
        raise KeyboardInterrupt

    FuncTask(interrupt, session=made, name="b", start_cond="scheduler has run over 200 ms", execution="main")
    with pytest.raises(KeyboardInterrupt):
        made.start()
    assert made["a"].status == "terminate"
    assert not made.scheduler.is_alive


def test_one_scheduler_at_a_time(make_session):
    made = make_session(shut_cond="scheduler has run over 1 minute")
    errors = []

    def again():
        try:
            made.start()
        except ConfigurationError as error:
            errors.append(error)

    FuncTask(again, session=made, name="a", start_cond="true & ~has started")
    made.start()
    assert len(errors) == 1


def test_serving_on_an_event_loop(make_session):
    made = make_session(execution="async", clock=SYSTEM_CLOCK, shut_cond="task 'b' has succeeded")
    loops = set()

    async def first():
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0.01)

    async def second():
        loops.add(asyncio.get_running_loop())

    FuncTask(first, session=made, name="a", start_cond="daily")
    FuncTask(second, session=made, name="b", start_cond="after task 'a'")
    FuncTask(work.add, session=made, name="t", start_cond="daily", execution="thread", parameters={"a": 1})

    async def main():
        loops.add(asyncio.get_running_loop())
        ticks = []

        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        await made.serve()
        ticking.cancel()
        return ticks

    assert asyncio.run(main())
    assert len(loops) == 1
    assert made.returns["t"] == 2


def test_tasks_can_be_made_and_removed_while_it_runs(make_session, clock):
    made = make_session(shut_cond="scheduler has run over 10 minutes")
    runs = []

    def grow():
        if "child" not in made:
            FuncTask(
                lambda: runs.append(clock.time()), session=made, name="child", start_cond="every 1 minute"
            )

    FuncTask(grow, session=made, name="grow", start_cond="daily")

    def shrink():
        made["child"].delete()

    FuncTask(shrink, session=made, name="shrink", start_cond="daily after 00:05:30")
    made.start()
    assert len(runs) == 6
    assert "child" not in made
    with pytest.raises(TaskNotFound, match="'grow', 'shrink'"):
        made.remove_task("child")
    made.clear()
    assert made.tasks == ()


# --- logs ---


def test_runs_are_logged_with_the_standard_library(make_session, caplog):
    made = make_session(task_logger_basename="jobs")
    FuncTask(int, session=made, name="a", fmt_log_message="{task} is {action}")
    FuncTask(work.fail, session=made, name="b")
    caplog.set_level(logging.INFO)
    made.run()
    found = [(record.name, record.levelname, record.getMessage().split("\n")[0]) for record in caplog.records]
    assert found == [
        ("jobs", "INFO", "a is run"),
        ("jobs", "INFO", "a is success"),
        ("jobs", "INFO", "Task 'b' status: 'run'"),
        ("jobs", "ERROR", "Task 'b' status: 'fail'"),
    ]
    record = caplog.records[1]
    assert (record.task_name, record.action, record.runtime) == ("a", "success", 0.0)
    assert "told to" in caplog.records[3].getMessage()


def test_a_log_that_cannot_be_written_stops_nothing(make_session):
    made = make_session(task_logger_basename="broken.log")

    class Broken(logging.Filter):
        def filter(self, record):
            raise OSError("disk full")

    logger = logging.getLogger("broken.log")
    logger.setLevel(logging.INFO)
    logger.addFilter(Broken())
    FuncTask(int, session=made, name="a")
    made.run("a")
    assert made["a"].status == "success"
    assert "disk full" in made.problems[0]


def test_loggers_of_earlier_sessions_can_be_deleted():
    logging.getLogger("old.jobs.one")
    with Session.detached(delete_existing_loggers=True, task_logger_basename="old.jobs"):
        assert "old.jobs.one" not in logging.Logger.manager.loggerDict


# --- the application ---


def test_an_application(clock):
    app = RedEngine(
        execution="main", clock=clock, timezone="UTC", shut_cond="scheduler has run over 25 hours"
    )
    app.params(suffix="!")
    clean = Grouper(prefix="clean.", start_cond="time of day after 12:00", execution="main")
    clean.params(depth=3)

    @app.param("prefix")
    def prefix():
        return "hello "

    @app.cond("it is time")
    def is_time():
        return True

    @app.task("daily & it is time", retries=1)
    def greet(prefix, suffix):
        return f"{prefix}ann{suffix}"

    @app.task("after task 'greet'", name="loud")
    def shout(text=Return("greet")):
        return text.upper()

    @clean.task("daily")
    def temp(depth):
        return depth

    app.include_grouper(clean)
    app.task(command=[sys.executable, "-c", "print(1)"], name="command", start_cond="after task 'loud'")
    app.task(code="return_value = suffix * 2", name="code", start_cond="after task 'command'")
    app.run()
    assert session == app.session
    assert app.session.returns["loud"] == "HELLO ANN!"
    assert app.session.returns["clean.temp"] == 3
    assert app.session.returns["command"] == b"1\n"
    assert app.session.returns["code"] == "!!"
    assert app.session["clean.temp"].start_cond == All(
        app.session.parse_condition("time of day after 12:00"), TaskExecutable(TimeOfDay())
    )
    assert not app.session.problems
    app.session.close()


def test_an_application_is_served():
    app = RedEngine(shut_cond="task 'a' has succeeded")

    @app.task("true")
    async def a():
        return 3

    asyncio.run(app.serve())
    assert app.session.returns[a] == 3
    app.session.close()


def test_an_application_of_two_minds(session):
    assert RedEngine(session).session is session
    with pytest.raises(ConfigurationError, match="execution"):
        RedEngine(session, execution="main")
    with pytest.raises(ConfigurationError, match="command and path"):
        RedEngine(session).task(command="ls", path="x.py")


def test_creating_tasks_by_what_they_are_made_of(session, tmp_path):
    assert isinstance(session.create_task(command="ls"), CommandTask)
    assert isinstance(session.create_task(code="1", name="c"), CodeTask)
    assert isinstance(session.create_task(path=tmp_path / "x.py"), FuncTask)
    assert isinstance(session.create_task(func=print, name="p"), FuncTask)

    @session.create_task(name="decorated")
    def decorated():
        return 1

    assert decorated() == 1
    assert session[decorated].name == "decorated"


def test_conditions_name_tasks_by_name_object_or_function(session):
    from sessionkit_redengine.builders import after_success

    def fetch():
        """Nothing."""

    task = FuncTask(fetch, session=session, name="fetch")
    assert after_success("fetch") == after_success(task) == after_success(fetch) == DependSuccess("fetch")
    with pytest.raises(ParserError, match="no task"):
        after_success(3)


# --- importing ---


def test_importing_is_cheap_and_complete():
    heavy = (
        "pydantic",
        "pandas",
        "sqlalchemy",
        "rich",
        "distributed",
        "cronsim",
        "click",
        "asyncio",
        "multiprocessing",
    )
    code = (
        "import sys, sessionkit_redengine as r\n"
        "r.Session, r.FuncTask, r.RedEngine\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_env()
    )
    assert output.stdout.strip() == "[]"


def _env():
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_everything_public_is_there():
    for name in sessionkit_redengine.__all__:
        assert getattr(sessionkit_redengine, name) is not None
    assert sessionkit_redengine.__all__ == sorted(sessionkit_redengine.__all__)
    assert set(sessionkit_redengine.__all__) <= set(dir(sessionkit_redengine))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        sessionkit_redengine.nothing_like_it  # noqa: B018
