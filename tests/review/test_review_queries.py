import enum
from datetime import datetime, timedelta, timezone

import pytest

from sessionkit.errors import ConfigurationError, RequestError, UnexpectedResponse
from sessionkit_review.errors import MultipleResultsFound, NoResultFound, ParseError, UnknownEntityType
from sessionkit_review.expression import condition, read


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


PROJECTIONS = {"Task": ["id", "name"], "Note": ["id"]}


@pytest.mark.parametrize(
    ("expression", "text", "offset", "limit"),
    [
        ("Task", "select id, name from Task", 0, None),
        ("Task where name is x limit 5", "select id, name from Task where name is x", 0, 5),
        ("Task offset 2 limit 3", "select id, name from Task", 2, 3),
        ('Note where content is "limit 5"', 'select id from Note where content is "limit 5"', 0, None),
        (
            r'Note where content is "a \" limit 5" limit 1',
            r'select id from Note where content is "a \" limit 5"',
            0,
            1,
        ),
        ("SELECT id from Task", "SELECT id from Task", 0, None),
        (
            "Task where id in (select id from Task limit 4)",
            "select id, name from Task where id in (select id from Task limit 4)",
            0,
            None,
        ),
        ("select speed.limit from Task", "select speed.limit from Task", 0, None),
    ],
)
def test_what_a_query_asks_for(expression, text, offset, limit):
    asked = read(expression, PROJECTIONS)
    assert (asked.text, asked.offset, asked.limit) == (text, offset, limit)


def test_nothing_is_asked_before_results_are_used(session, calls):
    _ = session.types
    before = calls()
    found = session.query("Task")
    assert calls() == before
    assert len(found) > 40
    assert found[0] is next(iter(found))
    assert found[-1] is found.all()[-1]
    assert len(found[2:5]) == 3
    assert calls() - before == 1


def test_pages_come_in_order_and_end(session, calls):
    everything = session.query("select id from Task order by id").all()
    before = calls()
    paged = session.query("select id from Task order by id", page_size=5)
    assert list(paged) == everything
    assert calls() - before in {9, 10}
    assert (
        session.query("select id from Task order by id offset 3 limit 7", page_size=2).all()
        == everything[3:10]
    )
    assert session.query("select id from Task limit 0").all() == []


def test_the_next_page_is_fetched_while_this_one_is_worked_on(session, sandbox, calls):
    _ = session.types
    results = iter(session.query("select id from Task order by id", page_size=10))
    before = calls()
    for _ in range(7):
        next(results)
    deadline = session.clock.monotonic() + 10
    while calls() - before < 2:
        assert session.clock.monotonic() < deadline, "the second page was not fetched ahead"
    assert calls() - before == 2


def test_an_error_of_a_page_reaches_its_reader_who_may_go_on(session, sandbox):
    results = session.query("select id from Task order by id", page_size=10)
    assert results[0]
    sandbox.fault("status", path="/api", status=400, times=1, body='{"x": 1}')
    with pytest.raises(RequestError):
        results.all()
    assert len(results.all()) == len(session.query("Task").all())


def test_one_and_first(session):
    assert session.query('Project where name is "lighthouse"').one()["full_name"] == "The Lighthouse Keeper"
    assert session.query('Project where name is "none"').first() is None
    with pytest.raises(NoResultFound):
        session.query('Project where name is "none"').one()
    with pytest.raises(MultipleResultsFound):
        session.query("Task").one()
    for bad in ("Task limit 3", "Task offset 3"):
        with pytest.raises(ConfigurationError):
            session.query(bad).one()
    with pytest.raises(ConfigurationError):
        session.query("Task limit 3").first()


def test_get_asks_only_for_what_is_not_here(session, calls):
    task = session.query("Task").first()
    before = calls()
    assert session.get("Task", task["id"]) is task
    assert session.get("Task", [task["id"]]) is task
    assert session.get("Task", {"id": task["id"]}) is task
    assert calls() == before
    assert session.get("Task", "nowhere") is None
    with pytest.raises(UnknownEntityType):
        session.get("Tusk", "x")
    with pytest.raises(ValueError, match="the key of a Metadata is parent_id and key"):
        session.get("Metadata", "x")
    project = session.query("Project").first()
    assert session.get("Metadata", [project["id"], "frame_rate"])["value"] == "24"


OPERATORS = ("lt", "lte", "gt", "gte")
HOSTILE = ['say "no"', "it's", "back\\slash", 'x" or name is "layout', "limit 5 offset 2", "%", "線", "a\nb"]


@pytest.mark.parametrize("text", HOSTILE)
def test_values_can_only_ever_be_values(session, text):
    project = session.query("Project").first()
    task = session.create("Task", {"name": text, "parent": project})
    session.commit()
    assert session.select("Task").where(name=text).all() == [task]
    assert session.select("Task").where(name__in=[text, "other \\"]).one() is task
    session.entities.clear()
    assert session.get("Task", task["id"])["name"] == text


def test_select_builds_queries(session):
    project = session.query("Project").first()
    asked = session.select("Task", "name", "status.name").where(project=project, status__name="Approved")
    ordered = asked.where("assignments any ()").order_by("-name", "id").offset(1).limit(3)
    assert str(ordered) == (
        f'select name, status.name from Task where project.id is "{project["id"]}" and '
        'status.name is "Approved" and (assignments any ()) '
        "order by name descending, id ascending offset 1 limit 3"
    )
    assert len(ordered.all()) == 3
    assert {task["status"]["name"] for task in asked} == {"Approved"}
    assert session.select("Task").where(name__in=[]).all() == []
    with pytest.raises(ConfigurationError):
        session.select("Task").order_by("name; drop")
    with pytest.raises(UnknownEntityType):
        session.select("Tusk")


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("bid__gte", 1.5, "bid >= 1.5"),
        ("description", None, "description is None"),
        ("description__not", None, "description is_not None"),
        ("is_active", True, "is_active is True"),
        ("name__not", ["a", "b"], 'name not_in ("a", "b")'),
        ("name__like", "sh%", 'name like "sh%"'),
    ],
)
def test_conditions_of_keyword_arguments(argument, value, expected):
    assert condition(argument, value) == expected


def test_ensure_finds_changes_or_creates(session):
    first = session.ensure("Scope", {"name": 'the "heron"'})
    assert session.ensure("Scope", {"name": 'the "heron"'}) is first
    project = session.query("Project").first()
    task = session.ensure("Task", {"name": "roto", "parent": project, "bid": 5.0}, ["name", "parent"])
    again = session.ensure("Task", {"name": "roto", "parent": project, "bid": 6.0}, ["name", "parent"])
    assert again is task
    assert session.query(f'select bid from Task where id is "{task["id"]}"').one()["bid"] == 6.0
    with pytest.raises(MultipleResultsFound):
        session.ensure("Task", {"name": "layout"})
    for keys in ([], ["metadata"], ["missing"]):
        with pytest.raises((ConfigurationError, KeyError)):
            session.ensure("Task", {"name": "x", "metadata": {}}, keys)


def test_ensure_asks_once_for_all_that_it_compares(session, calls):
    data = {"name": "asked once", "label": "a", "description": "b"}
    session.ensure("Location", data, ["name"])
    session.entities.clear()
    before = calls()
    assert session.ensure("Location", data, ["name"])["label"] == "a"
    assert calls() - before == 1


def test_the_servers_complaint_about_a_query_is_typed(session):
    with pytest.raises(ParseError, match="ParseError"):
        session.query("select id from Task where (name is x").all()


def test_nothing_is_among_no_values_not_even_what_is_empty(session):
    task, other = session.query("Task").all()[:2]
    task["description"], other["description"] = "", "Seen."
    session.commit()
    tasks = session.select("Task")
    assert tasks.where(description="").all()
    for name in ("description", "status", "status__name", "parent"):
        assert tasks.where(**{f"{name}__in": []}).all() == []
        assert len(tasks.where(**{f"{name}__not_in": []}).all()) == len(tasks.all())
        assert len(tasks.where(**{f"{name}__not_in": []}, id=task["id"]).all()) == 1


class Hours(enum.IntEnum):
    SHORT = 2


class Float64(float):
    """As NumPy has them."""

    def __repr__(self):
        return f"np.float64({float(self)})"


def test_numbers_are_written_as_numbers_whatever_they_call_themselves(session):
    task = session.query("Task").first()
    task["bid"] = 2
    session.commit()
    for hours in (Hours.SHORT, Float64(2.0)):
        assert task in session.select("Task").where(bid=hours).all()
    for nonsense in (float("nan"), float("-inf")):
        with pytest.raises(ConfigurationError, match="cannot compare"):
            session.select("Task").where(bid=nonsense)


@pytest.mark.parametrize("bounds", [(10, 5, -1), (None, 3, -1), (4, 1, -1), (5, None, -2), (2, 7, 2)])
def test_slices_are_those_of_a_list_in_either_direction(session, bounds):
    found = session.query("select id from Task order by id", page_size=5)[slice(*bounds)]
    assert found == session.query("select id from Task order by id").all()[slice(*bounds)]


@pytest.mark.parametrize(
    ("after", "found"), [(0.0, {"lte", "gte"}), (0.5, {"lt", "lte"}), (-0.5, {"gt", "gte"})]
)
def test_fractions_of_seconds_are_compared_as_they_are(session, after, found):
    task, end = session.query("Task").first(), datetime(2024, 1, 2, 12, 0, 10, tzinfo=timezone.utc)
    task["end_date"] = end
    session.commit()
    moment = end + timedelta(seconds=after)
    tasks = {
        each: session.select("Task").where(id=task["id"], **{f"end_date__{each}": moment})
        for each in OPERATORS
    }
    assert {each for each, asked in tasks.items() if asked.all()} == found


@pytest.mark.parametrize("row", [5, None, "Task", []])
def test_rows_that_are_no_entities_are_no_results(session, sandbox, row):
    _ = session.types
    sandbox.fault("body", path="/api", body=[{"action": "query", "data": [row]}], times=1)
    with pytest.raises(UnexpectedResponse):
        session.query("Task").all()
