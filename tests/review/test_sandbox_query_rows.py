"""Compiled queries give the same rows, in the same order, as an evaluator that walks over plain objects."""

import random
import re
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionkit_review.sandbox.behaviours import plant
from sessionkit_review.sandbox.query.lexer import ParseError
from sessionkit_review.sandbox.results import Results, Style
from sessionkit_review.sandbox.storage import Storage

WORDS = [
    "layout",
    "Layout",
    "anim",
    "a%b",
    "it's",
    'say "hi"',
    "née",
    "x_y",
    "10",
    "none",
    "",
    "Ωmega",
    "back\\slash",
]
DATES = ["2024-01-02T00:00:00", "2024-01-02T03:04:05", "2024-02-29T12:00:00", "2025-12-31T23:59:59"]


class Thing:
    """An entity of the evaluator: values and other things by name."""

    def __init__(self, type_, values):
        self.type = type_
        self.values = values
        self.one = {}
        self.many = {}


def make_studio():
    """Rows by type, about a hundred, with gaps and awkward text; parents come before their children."""
    rng = random.Random(20310506)

    def maybe(values):
        return rng.choice([*values, None])

    def some(count, prefix, make):
        return [{"id": f"{prefix}{index:02}", **make(index)} for index in range(count)]

    def ids(rows):
        return [row["id"] for row in rows]

    users = some(5, "usr", lambda i: {"username": f"user{i}", "email": maybe(WORDS), "is_active": i % 2 == 0})
    states = some(3, "ste", lambda _: {"short": maybe(WORDS)})
    statuses = some(
        5,
        "sts",
        lambda i: {"name": maybe(WORDS), "is_active": i != 1, "sort": i % 3, "state_id": maybe(ids(states))},
    )
    project = {"id": "prj", "name": "prj", "project_id": "prj", "full_name": "née"}
    shots = []
    for index in range(8):
        parent = rng.choice(["prj", *ids(shots)])
        values = {"name": rng.choice(WORDS), "description": maybe(WORDS), "bid": maybe([0.0, 1.5])}
        shots.append({"id": f"sho{index:02}", "parent_id": parent, "project_id": "prj", **values})
    tasks = some(
        30,
        "tas",
        lambda i: {
            "name": rng.choice(WORDS),
            "description": maybe(WORDS),
            "parent_id": maybe(["prj", *ids(shots)]),
            "project_id": "prj",
            "status_id": maybe(ids(statuses)),
            "bid": maybe([0.0, -2.0, 3.25, 100.0]),
            "start_date": maybe(DATES),
            "sort": float(i % 4),
        },
    )
    appointments = some(
        40,
        "app",
        lambda _: {
            "type": rng.choice(["assignment", "allocation"]),
            "context_id": rng.choice(ids(tasks)),
            "resource_id": rng.choice(ids(users)),
        },
    )
    notes = some(
        20,
        "not",
        lambda _: {
            "content": maybe(WORDS),
            "user_id": rng.choice(ids(users)),
            "parent_id": rng.choice(ids(tasks)),
            "is_todo": maybe([True, False]),
        },
    )
    return {
        "User": users,
        "State": states,
        "Status": statuses,
        "Project": [project],
        "Shot": shots,
        "Task": tasks,
        "Appointment": appointments,
        "Note": notes,
    }


def link(studio):
    """The same studio as things that know each other."""
    things = {row["id"]: Thing(name, row) for name, rows in studio.items() for row in rows}
    for thing in things.values():
        for name in ("status", "parent", "project", "context", "resource", "state"):
            thing.one[name] = things.get(thing.values.get(f"{name}_id"))
        thing.one["author"] = things.get(thing.values.get("user_id"))
        below = [each for each in things.values() if each.values.get("parent_id") == thing.values["id"]]
        thing.many["children"] = [each for each in below if each.type != "Note"]
        thing.many["notes"] = [each for each in below if each.type == "Note"]
        thing.many["assignments"] = [
            each
            for each in things.values()
            if each.values.get("context_id") == thing.values["id"] and each.values["type"] == "assignment"
        ]
    for thing in things.values():
        above, found = thing.one["parent"], []
        while above is not None:
            found += [above] if above.type != "Project" else []
            above = above.one["parent"]
        thing.many["ancestors"] = found
    return things


@pytest.fixture(scope="module")
def things():
    return link(make_studio())


@pytest.fixture(scope="module")
def ask():
    db = sqlite3.connect(":memory:")
    storage = Storage(db)
    storage.create()
    for name, rows in make_studio().items():
        for row in rows:
            storage.insert(storage.schema.get(name), row)
            if name in {"Project", "Shot", "Task"}:
                plant(storage, row["id"], row.get("parent_id"))
    results = Results(storage, lambda kind, component_id: "")

    def ask(expression):
        return [entity["id"] for entity in results.query(expression, Style(strict=True))["data"]]

    yield ask
    db.close()


# What can be asked of each type: values with their kinds, references and collections with their types.
VALUES = {
    "Task": {
        "name": "text",
        "description": "text",
        "bid": "number",
        "start_date": "date",
        "id": "text",
        "status_id": "text",
        "sort": "number",
    },
    "Status": {"name": "text", "is_active": "bool", "sort": "number"},
    "State": {"short": "text"},
    "Context": {"name": "text", "id": "text"},
    "TypedContext": {"name": "text", "description": "text", "bid": "number"},
    "Project": {"full_name": "text", "name": "text"},
    "Appointment": {"type": "text", "resource_id": "text"},
    "Resource": {"username": "text", "email": "text"},
    "User": {"username": "text", "email": "text", "is_active": "bool"},
    "Note": {"content": "text", "is_todo": "bool"},
}
REFERENCES = {
    "Task": {"status": "Status", "parent": "Context", "project": "Project"},
    "Status": {"state": "State"},
    "Appointment": {"resource": "Resource", "context": "Context"},
    "Note": {"author": "User"},
    "TypedContext": {"status": "Status", "parent": "Context"},
}
COLLECTIONS = {
    "Task": {
        "assignments": "Appointment",
        "notes": "Note",
        "children": "Context",
        "ancestors": "TypedContext",
    },
    "Context": {"notes": "Note", "children": "Context"},
    "TypedContext": {"children": "Context", "notes": "Note"},
}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def literals(draw, kind):
    """A value as it is written, and what it means."""
    if kind == "number":
        number = draw(st.sampled_from([0, 1, -2, 3.25, 100, 1.5, 1e3]))
        return draw(st.sampled_from([str(number), quoted(str(number))])), float(number)
    if kind == "bool":
        truth = draw(st.booleans())
        return draw(st.sampled_from([str(truth), str(truth).lower()])), truth
    if kind == "date":
        date = draw(st.sampled_from(DATES))
        return draw(
            st.sampled_from([quoted(date), date, quoted(date.replace("T", " ")), f'"{date}+00:00"'])
        ), date
    text = draw(st.sampled_from([*WORDS, "tas01", "sho02", "assignment", "user1", "zzz"]))
    plain = re.fullmatch(r"[\w-]+", text) and text.lower() != "none"
    return (text if plain and draw(st.booleans()) else quoted(text)), text


@st.composite
def comparisons(draw, type_):
    """`path operator value` as text, and a predicate."""
    steps, holder = [], type_
    while holder in REFERENCES and draw(st.booleans()):
        name, holder = draw(st.sampled_from(sorted(REFERENCES[holder].items())))
        steps.append(name)
    attribute, kind = draw(st.sampled_from(sorted(VALUES[holder].items())))
    path = ".".join([*steps, attribute])

    def value(thing):
        for name in steps:
            thing = thing.one.get(name) if thing else None
        return thing.values.get(attribute) if thing else None

    operator = draw(st.sampled_from(["is", "=", "is_not", "!=", "in", "not_in", "none", "order", "like"]))
    if operator == "none":
        negative = draw(st.booleans())
        word = draw(st.sampled_from(["none", "None"]))
        return f"{path} {'is_not' if negative else 'is'} {word}", lambda t: (value(t) is None) != negative
    if operator in {"in", "not_in"}:
        items = draw(st.lists(literals(kind), max_size=4))
        meant = [item for _, item in items]
        text = f"{path} {operator} ({', '.join(written for written, _ in items)})"
        return text, lambda t: (value(t) in meant and value(t) is not None) == (operator == "in")
    if operator == "like" and kind == "text":
        pattern = draw(st.sampled_from(["%", "a%", "%a%", "L_yout", "x_y", "NÉE", "née", "%\\%", '%"%', ""]))
        negative = draw(st.booleans())
        matches = re.compile(
            "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern),
            re.ASCII | re.IGNORECASE | re.DOTALL,
        )
        word = "not_like" if negative else "like"
        return (
            f"{path} {word} {quoted(pattern)}",
            lambda t: (value(t) is not None and bool(matches.fullmatch(value(t)))) != negative,
        )
    written, meant = draw(literals(kind))
    if operator in {"order", "like"} and kind != "bool":
        word, test = draw(
            st.sampled_from(
                [
                    (">", lambda a, b: a > b),
                    ("after", lambda a, b: a > b),
                    ("<", lambda a, b: a < b),
                    ("less_than", lambda a, b: a < b),
                    (">=", lambda a, b: a >= b),
                    ("<=", lambda a, b: a <= b),
                ]
            )
        )
        return f"{path} {word} {written}", lambda t: value(t) is not None and test(value(t), meant)
    negative = operator in {"is_not", "!="}
    word = operator if operator in {"is", "=", "is_not", "!="} else "is"
    return f"{path} {word} {written}", lambda t: (value(t) == meant) != negative


@st.composite
def criteria(draw, type_, depth=3):
    """A criterion as text, and a predicate over things of `type_`."""
    forms = ["compare"]
    if depth:
        forms += ["and", "or", "not", "parentheses"]
        forms += ["has"] * (type_ in REFERENCES) + ["any", "through"] * (type_ in COLLECTIONS)
    form = draw(st.sampled_from(forms))
    if form == "compare":
        return draw(comparisons(type_))
    if form in {"has", "any"}:
        options = REFERENCES if form == "has" else COLLECTIONS
        name, target = draw(st.sampled_from(sorted(options[type_].items())))
        text, inner = draw(st.one_of(st.just(("", lambda _: True)), criteria(target, depth - 1)))
        if form == "has":
            return f"{name} has ({text})", lambda t: t.one.get(name) is not None and inner(t.one[name])
        return f"{name} any ({text})", lambda t: any(inner(item) for item in t.many[name])
    if form == "through":  # a dotted path through a collection means: any of them
        name, target = draw(st.sampled_from(sorted(COLLECTIONS[type_].items())))
        text, inner = draw(comparisons(target))
        return f"{name}.{text}", lambda t: any(inner(item) for item in t.many[name])
    text, first = draw(criteria(type_, depth - 1))
    if form == "not":
        return f"not ({text})", lambda t: not first(t)
    if form == "parentheses":
        return f"({text})", first
    other, second = draw(criteria(type_, depth - 1))
    if form == "and":
        return f"({text}) and ({other})", lambda t: first(t) and second(t)
    return f"({text})or ({other})", lambda t: first(t) or second(t)


@st.composite
def queries(draw):
    """A query as text, and a function from all tasks to the ids it asks for."""
    text, predicate = draw(criteria("Task"))
    order = draw(
        st.lists(
            st.sampled_from(["name", "bid", "status.sort", "parent.name", "start_date"]),
            max_size=2,
            unique=True,
        )
    )
    downs = [draw(st.booleans()) for _ in order]
    offset, limit = draw(st.sampled_from([(None, None), (2, 5), (0, 3), (None, 4), (30, 10)]))
    expression = f"select id from Task where {text}"
    if order:
        words = [f"{path} {'descending' if down else 'asc'}" for path, down in zip(order, downs, strict=True)]
        expression += f" order by {', '.join(words)}"
    expression += "" if offset is None else f" offset {offset}"
    expression += "" if limit is None else f" limit {limit}"

    def expected(tasks):
        found = [task for task in tasks if predicate(task)]
        for path, down in reversed(list(zip(order, downs, strict=True))):
            found.sort(key=lambda task, path=path: sort_key(task, path), reverse=down)
        ids = [task.values["id"] for task in found]
        return ids[offset or 0 :][: len(ids) if limit is None else limit]

    return expression, expected


def sort_key(task, path):
    *steps, name = path.split(".")
    for step in steps:
        task = task.one[step] if task else None
    value = task.values.get(name) if task else None
    return (value is not None, value if value is not None else 0)


@settings(
    max_examples=400,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(queries())
def test_compiled_queries_agree_with_a_walk_over_objects(ask, things, asked):
    expression, expected = asked
    tasks = [thing for thing in things.values() if thing.type == "Task"]
    assert ask(expression) == expected(tasks), expression


HOSTILE = [
    "'; DROP TABLE review_Task; --",
    '" or "1" = "1',
    'x" or id is_not "',
    "\\",
    "%' OR 1=1 --",
    "a\x00b",
    "a); delete from review_Context; --",
    ":p0",
    "?1",
    "{t}",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("operator", ["is", "like", "in"])
def test_values_are_never_read_as_a_query(ask, text, operator):
    written = f"({quoted(text)})" if operator == "in" else quoted(text)
    before = ask("Context")
    assert ask(f"Task where name {operator} {written}") == []
    assert ask("Context") == before


@pytest.mark.parametrize(
    "expression",
    [
        'Task"; DROP TABLE review_Context; --',
        "Task where name; DROP TABLE x is 1",
        'Task where "name" is "layout"',
        "Task where name) OR (1 is 1",
        "sqlite_master",
        "review_Context",
        "select sql from sqlite_master",
        "select _type from Task",
        "Task where rowid is 1",
        "Task where _type is Task",
        "Task where t0.name is x",
        "Task order by name; DROP TABLE review_Context",
        "Task order by (select 1)",
        "Task limit 1; DROP TABLE review_Context",
        "Task limit -1",
        "Task where id in (select name from sqlite_master)",
        "select count(*) from Task",
        "select load_extension(name) from Task",
    ],
)
def test_nothing_but_the_schema_can_be_named(ask, expression):
    with pytest.raises(ParseError):
        ask(expression)
    assert len(ask("Task")) == 30
