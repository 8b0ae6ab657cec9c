"""Tasks and their arguments: what they are made of, what they are given, and what is refused."""

from __future__ import annotations

import os
import sys
import threading

import pytest
import redengine_work as work

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigurationError
from sessionkit_redengine import CodeTask, CommandTask, FuncTask, ParserError, Task, TaskFailed, TaskNotFound
from sessionkit_redengine import arguments as args
from sessionkit_redengine.conditions import AlwaysFalse, TaskExecutable
from sessionkit_redengine.periods import TimeOfDay

PYTHON = sys.executable


# --- fields ---


def test_fields_are_read_when_they_are_set(session):
    task = FuncTask(
        print, session=session, name="a", start_cond="daily", timeout="10 minutes", permanent_task=True
    )
    assert task.start_cond == TaskExecutable(TimeOfDay())
    assert (task.timeout, task.permanent, task.retries) == (600.0, True, 0)
    task.start_cond = "daily after 10:00"
    task.parameters = {"x": 1}
    task.end_cond = True
    assert task.start_cond == TaskExecutable(TimeOfDay("10:00", None))
    assert dict(task.parameters) == {"x": 1}
    assert task.period == TimeOfDay("10:00", None)
    assert task.to_dict()["timeout"] == 600.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("on_exists", "raise"),
        ("colour", "red"),
        ("priority", "high"),
        ("disabled", 1),
        ("timeout", "soon"),
        ("timeout", 0),
        ("retries", -1),
        ("retries", 1.5),
        ("retry_delay", "later"),
        ("missed", "sometimes"),
        ("parameters", [1]),
        ("start_cond", "dayly"),
        ("start_cond", 3),
        ("description", 3),
    ],
)
def test_what_is_no_field_or_no_value(session, field, value):
    with pytest.raises(ConfigurationError):
        FuncTask(print, session=session, name="a", **{field: value})
    assert "a" not in session
    task = FuncTask(print, session=session, name="b")
    with pytest.raises(ConfigurationError):
        setattr(task, field, value)


@pytest.mark.parametrize("name", ["", 3])
def test_a_name_is_text(session, name):
    with pytest.raises(ConfigurationError, match="name"):
        FuncTask(print, session=session, name=name)


def test_truth_of_a_task(session):
    task = FuncTask(print, session=session, name="a", start_cond="true")
    assert bool(task) is True
    task.disabled = True
    assert bool(task) is False
    task.force_run = True
    assert bool(task) is True


def test_what_is_due_next(session, clock):
    task = FuncTask(print, session=session, name="a", start_cond="daily after 10:00")
    assert task.next_due.timestamp() == clock.time() + 36_000
    task.start_cond = "after task 'a'"
    assert task.next_due is None


# --- kinds ---


def test_default_names(session, tmp_path):
    assert FuncTask(work.add, session=session).name == "redengine_work:add"
    assert CommandTask("ls -l", session=session).name == "ls -l"
    assert CommandTask(["ls", "-a"], session=session).name == "ls -a"
    assert FuncTask(path="jobs/clean.py", func_name="all", session=session).name == "jobs.clean:all"
    assert FuncTask(path="jobs.clean", session=session).name == "jobs.clean:main"
    with pytest.raises(ConfigurationError, match="needs a name"):
        CodeTask(code="1", session=session)


def test_a_function_stays_a_function(session):
    @FuncTask(session=session, start_cond="daily", name="named")
    def decorated():
        return 3

    assert decorated() == 3
    assert session["named"].func is decorated
    assert session[decorated].start_cond == TaskExecutable(TimeOfDay())


def test_a_decorator_is_for_one_function(session):
    decorate = FuncTask(session=session)
    decorate(work.add)
    with pytest.raises(ConfigurationError, match="already"):
        decorate(work.pid)


@pytest.mark.parametrize("bad", [{"func": print, "path": "x.py"}, {"func": 3}])
def test_what_is_no_function(session, bad):
    with pytest.raises(ConfigurationError):
        FuncTask(bad["func"], path=bad.get("path"), session=session)


@pytest.mark.parametrize("execution", ["main", "process"])
def test_a_function_by_path_is_imported_where_it_runs(make_session, tmp_path, execution):
    session = make_session(execution=execution, clock=SYSTEM_CLOCK, parameters={"shared": "s"})
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    module = tmp_path / "job.py"
    module.write_text("import helper\ndef main(shared, own=0):\n    return helper.VALUE, shared, own\n")
    FuncTask(path=module, session=session, name="a", parameters={"own": 2, "unknown": 3})
    assert session.execute("a") == (1, "s", 2)
    module.write_text("def main(**everything):\n    return everything\n")
    assert session.execute("a") == {"shared": "s", "own": 2, "unknown": 3}


def test_a_function_by_path_may_be_kept(session, tmp_path):
    module = tmp_path / "job.py"
    module.write_text("def main():\n    return 1\n")
    FuncTask(path=module, session=session, name="a", cache=True)
    assert session.execute("a") == 1
    module.write_text("def main():\n    return 2\n")
    assert session.execute("a") == 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "no Python file"),
        ("x = 1", "no function 'main'"),
        ("import nothing_like_it", "nothing_like_it"),
        ("from sessionkit_redengine.arguments import Return\ndef main(x=Return('a')): pass", "no session"),
    ],
)
def test_a_path_that_leads_nowhere_fails_the_run(session, tmp_path, content, error):
    if content is not None:
        (tmp_path / "job.py").write_text(content)
    FuncTask(path=tmp_path / "job.py", session=session, name="a")
    with pytest.raises(TaskFailed, match=error):
        session.execute("a")


def test_a_command_returns_what_it_writes(session, tmp_path):
    code = "import sys; print(sys.argv[1:])"
    CommandTask([PYTHON, "-c", code], session=session, name="a", parameters={"size": 3, "text": "a b"})
    CommandTask(f"{PYTHON} -c 'import os; print(os.getcwd())'", session=session, name="b", cwd=str(tmp_path))
    CommandTask("echo $HOME", shell=True, session=session, name="c", parameters={"x": "a; b"}, argform="-")
    for _ in range(2):  # the options of the first run are not those of the second
        assert session.execute("a") == b"['--size', '3', '--text', 'a b']\n"
    assert session.execute("b").decode().strip() == str(tmp_path)
    assert session.execute("c").decode().strip() == f"{os.environ['HOME']} -x a; b"


def test_a_command_that_fails_says_why(session):
    CommandTask([PYTHON, "-c", "import sys; sys.exit('no such shot')"], session=session, name="a")
    CommandTask("nothing-like-it", session=session, name="b")
    with pytest.raises(TaskFailed, match="ended with 1: no such shot"):
        session.execute("a")
    with pytest.raises(TaskFailed, match="nothing-like-it"):
        session.execute("b")


@pytest.mark.parametrize("bad", [{"command": ""}, {"command": 3}, {"command": "ls", "argform": "+"}])
def test_what_is_no_command(session, bad):
    with pytest.raises(ConfigurationError):
        CommandTask(session=session, **bad)


def test_code(make_session):
    session = make_session(parameters={"base": 10})
    CodeTask(
        code="total = base + extra",
        output_variable="total",
        parameters={"extra": 5},
        session=session,
        name="a",
    )
    assert session.execute("a") == 15
    with pytest.raises(ConfigurationError, match="no Python"):
        CodeTask(code="x = = 1", session=session, name="b")


class Doubling(Task):
    more_fields = frozenset(("factor",))
    factor = 2

    def execute(self, number):
        return number * self.factor

    def get_default_name(self):
        return "doubling"

    def process_success(self, output):
        if output == 26:
            raise ValueError("unlucky")

    def process_failure(self, error):
        work.write(os.environ["NOTES"], f"{type(error).__name__} ")

    def process_finish(self, action):
        work.write(os.environ["NOTES"], f"{action} ")


@pytest.mark.parametrize("execution", ["main", "process"])
def test_a_kind_of_ones_own(make_session, tmp_path, monkeypatch, execution):
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    session = make_session(execution=execution, clock=SYSTEM_CLOCK, process_start="spawn")
    Doubling(session=session, parameters={"number": 21})
    assert session.execute("doubling") == 42
    session["doubling"].parameters["number"] = 13
    with pytest.raises(TaskFailed, match="unlucky"):
        session.execute("doubling")
    assert (tmp_path / "notes").read_text() == "success ValueError fail "


# --- arguments ---


def test_a_function_is_given_what_it_names(make_session):
    session = make_session(parameters={"shared": 1, "both": "session", "other": 0})

    def named(shared, both, own, default=9):
        return shared, both, own, default

    def everything(both, **rest):
        return both, rest

    FuncTask(named, session=session, name="named", parameters={"own": 2, "both": "task", "unknown": 3})
    FuncTask(everything, session=session, name="everything", parameters={"own": 2})
    assert session.execute("named") == (1, "task", 2, 9)
    assert session.execute("everything") == ("session", {"own": 2})


def test_a_missing_argument_fails_the_run(session):
    FuncTask(work.add, session=session, name="a")
    with pytest.raises(TaskFailed, match="missing 1 required"):
        session.execute("a")


def test_arguments_are_read_at_each_run(make_session, monkeypatch):
    monkeypatch.setenv("LEVEL", "env")
    monkeypatch.setattr(sys, "argv", ["program", "--one", "1", "--two=2"])
    session = make_session(parameters={"key": "value", "nested": args.SimpleArg("inner")})
    numbers = iter(range(10))

    def all_of_them(
        simple=args.SimpleArg(1),
        private=args.Private("secret"),
        arg=args.Arg("key"),
        nested=args.Arg("nested"),
        absent=args.Arg("absent", default=None),
        env=args.EnvArg("LEVEL"),
        cli=args.CliArg("--one"),
        cli2=args.CliArg("--two"),
        func=args.FuncArg(lambda: next(numbers)),
        nothing=args.Return("never", default="nothing yet"),
        fallback=args.EnvArg("NOTHING_LIKE_IT") >> args.Arg("absent") >> "fell",
        me=args.Task(),
        other=args.Task("never"),
        home=args.Session(),
        config=args.Config(),
        logger=args.TaskLogger(),
        scheduler=args.SchedulerLogger(),
        flag=args.TerminationFlag(),
        event=args.Event(),
        due=args.Due(),
    ):
        assert (me.name, other.name, home, config) == ("a", "never", session, session.config)
        assert (logger, scheduler) == (session.task_logger, session.scheduler_logger)
        assert (flag.is_set(), event, due) == (False, None, session.clock.time())
        return (simple, private, arg, nested, absent, env, cli, cli2, func, nothing, fallback)

    FuncTask(all_of_them, session=session, name="a")
    FuncTask(int, session=session, name="never")
    expected = (1, "secret", "value", "inner", None, "env", "1", "2", 0, "nothing yet", "fell")
    assert session.execute("a") == expected
    session.parameters["key"] = "changed"
    assert session.execute("a")[2] == "changed"
    assert session.execute("a")[8] == 2


@pytest.mark.parametrize("execution", ["main", "thread", "process"])
def test_a_return_value_is_the_latest_one(make_session, execution):
    session = make_session(execution=execution, clock=SYSTEM_CLOCK)
    FuncTask(work.add, session=session, name="source", parameters={"a": 0})
    FuncTask(work.add, session=session, name="sink", parameters={"a": args.Return("source")})
    got = []
    for number in range(3):
        session["source"].parameters["a"] = number
        session.execute("source")
        got.append(session.execute("sink"))
    assert got == [2, 3, 4]
    assert isinstance(session["sink"].parameters["a"], args.Return)


@pytest.mark.parametrize(
    "argument",
    [
        args.Arg("absent"),
        args.EnvArg("NOTHING_LIKE_IT"),
        args.CliArg("--nothing"),
        args.Return("nobody"),
        args.Task("nobody"),
    ],
    ids=repr,
)
def test_an_argument_without_a_value_fails_the_run(session, argument):
    FuncTask(work.add, session=session, name="a", parameters={"a": argument})
    with pytest.raises(TaskFailed):
        session.execute("a")
    assert session["a"].status == "fail"


@pytest.mark.parametrize(("where", "same"), [("pre", True), ("post", False)])
def test_where_a_function_argument_is_called(make_session, where, same):
    session = make_session(execution="thread", clock=SYSTEM_CLOCK, param_materialize=where)
    FuncTask(
        lambda ident: ident,
        session=session,
        name="a",
        parameters={"ident": args.FuncArg(threading.get_ident)},
    )
    assert (session.execute("a") == threading.get_ident()) is same


def test_a_function_argument_is_called_in_the_process_of_the_task(make_session):
    session = make_session(execution="process", clock=SYSTEM_CLOCK)
    FuncTask(work.add, session=session, name="a", parameters={"a": args.FuncArg(work.pid), "b": 0})
    assert session.execute("a") != os.getpid()


def test_a_function_argument_may_ask_for_the_task(session):
    @args.argument(greeting="hello")
    def greeting(greeting, task, session):
        return f"{greeting} {task.name} of {session.name}"

    FuncTask(lambda text=greeting: text, session=session, name="a")
    assert session.execute("a") == "hello a of redengine"


def test_what_is_private_is_not_shown():
    assert "secret" not in repr(args.Private("secret"))
    assert repr(args.Arg("key")) == "Arg('key')"


def test_a_task_by_its_text_is_no_condition(session):
    with pytest.raises(ParserError):
        FuncTask(print, session=session, name="a", start_cond="after task a")
    with pytest.raises(TaskNotFound, match="there are none at all"):
        session.get_task("a")
    assert type(FuncTask(print, session=session, name="b").start_cond) is AlwaysFalse
