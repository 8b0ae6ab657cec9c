"""The language of subscriptions: what it means, what it refuses, and that it is never slow."""

import contextlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionkit.events import Event, ExpressionError, Subscription
from sessionkit.events.dispatch import Index
from sessionkit.events.expression import MAX_DEPTH, And, Condition, Not, Or, parse
from sessionkit.events.subscriber import Subscriber

FIELDS = [
    "topic",
    "data.kind",
    "data.n",
    "data.flag",
    "data.missing.deeper",
    "source.user.username",
    "target",
]
TEXTS = [
    "a",
    "ab",
    "abc",
    "a.b",
    "10",
    "10.0",
    "1e1",
    "010",
    "true",
    "TRUE",
    "",
    "x y",
    "ü",
    "'",
    '"',
    "-3",
    "nan",
]


def condition():
    value = st.sampled_from(TEXTS) | st.text(max_size=4).filter(lambda text: not {'"', "'"} <= set(text))
    starred = st.tuples(value, st.sampled_from(["", "", "*"])).map("".join)
    return st.builds(
        Condition,
        st.sampled_from(FIELDS),
        st.sampled_from(["=", "=", "=", "!=", ">=", "<=", ">", "<"]),
        starred,
    )


def group(kind, children):
    """Groups as the parser makes them: two or more, never one of the same kind within."""
    return st.lists(children.filter(lambda node: not isinstance(node, kind)), min_size=2, max_size=4).map(
        lambda nodes: kind(tuple(nodes))
    )


expressions = st.recursive(
    condition(),
    lambda children: st.one_of(
        group(And, children),
        group(Or, children),
        children.filter(lambda node: not isinstance(node, Not)).map(Not),
    ),
    max_leaves=12,
)

values = st.one_of(
    st.sampled_from(
        [*TEXTS, 10, 10.0, -3, 0, True, False, None, [], ["a"], {}, {"deeper": "a"}, float("nan"), 2**200]
    ),
    st.integers(),
    st.text(max_size=3),
)
events = st.fixed_dictionaries(
    {"topic": st.sampled_from(TEXTS)},
    optional={
        "data": st.one_of(
            values, st.dictionaries(st.sampled_from(["kind", "n", "flag", "missing"]), values, max_size=4)
        ),
        "source": st.one_of(
            values, st.fixed_dictionaries({"user": st.fixed_dictionaries({"username": values})})
        ),
        "target": st.just(""),
    },
)

MISSING = object()


def naive(node, event):
    """What an expression means, said as plainly as possible."""
    if isinstance(node, And):
        return all(naive(part, event) for part in node.nodes)
    if isinstance(node, Or):
        return any(naive(part, event) for part in node.nodes)
    if isinstance(node, Not):
        return not naive(node.node, event)
    found = event
    for key in node.field.split("."):
        found = found[key] if isinstance(found, dict) and key in found else MISSING
    if found is MISSING:
        return False
    if node.operator == "=":
        return naive_equal(found, node.value)
    if node.operator == "!=":
        return not naive_equal(found, node.value)
    return naive_ordered(found, node.operator, node.value)


def naive_number(text):
    return (
        float(text)
        if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text, re.ASCII)
        else None
    )


def naive_equal(found, text):
    if text.endswith("*"):
        return isinstance(found, str) and found.startswith(text[:-1])
    if isinstance(found, bool):
        return text.lower() == str(found).lower()
    if isinstance(found, (int, float)):
        return naive_number(text) is not None and found == naive_number(text)
    return found == text


def naive_ordered(found, operator, text):
    if isinstance(found, str):
        wanted = text
    elif isinstance(found, (int, float)) and not isinstance(found, bool) and naive_number(text) is not None:
        wanted = naive_number(text)
    else:
        return False
    return {"<": found < wanted, "<=": found <= wanted, ">": found > wanted, ">=": found >= wanted}[operator]


@given(expressions)
def test_an_expression_survives_being_written_and_read(node):
    assert parse(str(node)) == node


@given(expressions, events)
def test_a_predicate_means_what_the_expression_says(node, event):
    assert Subscription(str(node)).includes(event) == naive(node, event)


@given(st.lists(expressions, max_size=8), events)
def test_the_index_finds_those_that_match_and_only_those_in_order(nodes, event):
    index = Index()
    subscribers = [Subscriber(str(node), print, priority=-number % 3) for number, node in enumerate(nodes)]
    for subscriber in subscribers:
        index.add(subscriber)
    expected = sorted(
        (s for s, node in zip(subscribers, nodes, strict=True) if naive(node, event)),
        key=lambda s: s.priority,
    )
    assert [entry.subscriber for entry in index.matching(event)] == expected
    for subscriber in subscribers[::2]:
        index.remove(subscriber)
    left = [s for s in expected if s in subscribers[1::2]]
    assert [entry.subscriber for entry in index.matching(event)] == left
    for subscriber in subscribers[1::2]:
        index.remove(subscriber)
    assert not index.listens(event["topic"])


@given(st.text(alphabet=st.sampled_from("ab.=!<>()\"' *-andornot10é:"), max_size=60) | st.text(max_size=40))
def test_any_text_is_an_expression_or_one_kind_of_error(text):
    try:
        node = parse(text)
    except ExpressionError as caught:
        error = caught
    else:
        assert parse(str(node)) == node
        return
    assert 0 <= error.position <= len(text)
    assert error.expression == text
    assert f"position {error.position}" in str(error)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a=b", "a=b"),
        ("a = b AND c != 'd e'", 'a=b and c!="d e"'),
        ("a=b or c=d and e=f", "a=b or c=d and e=f"),
        ("(a=b or c=d) and e=f", "(a=b or c=d) and e=f"),
        ("not a=b and c=d", "not a=b and c=d"),
        ("not (a=b and c=d)", "not (a=b and c=d)"),
        ("not not a=b", "a=b"),
        ("not(a=b)", "not a=b"),
        ("a=b and(c=d)or e=f", "a=b and c=d or e=f"),
        ("((a=b))", "a=b"),
        ("a>=1 and b<=2 and c<3 and d>4", "a>=1 and b<=2 and c<3 and d>4"),
        ("not=and and and=not", "not=and and and=not"),
        ('a=""', 'a=""'),
        ("id=jenkins@studio,2+x/*", "id=jenkins@studio,2+x/*"),
        ("""a='say "hi"'""", """a='say "hi"'"""),
    ],
)
def test_the_grammar(text, written):
    assert str(parse(text)) == written


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "expected a field"),
        ("   ", 3, "expected a field"),
        ("a", 1, "expected one of"),
        ("a=", 2, "expected a value"),
        ("a=b c=d", 4, 'expected "and"'),
        ("a=b and", 7, "expected a field"),
        ("(a=b", 0, "never closed"),
        ("a=b)", 3, "never opened"),
        ("a=b:c", 3, "must be quoted"),
        ('a="b', 2, "quote that is never closed"),
        ("a-b=c", 0, "expected a field"),
        ("a==b", 2, "expected a value"),
        ("not", 3, "expected a field"),
        ("a=ü", 2, "must be quoted"),
        ("'a'=b", 0, "expected a field"),
    ],
)
def test_an_error_names_the_position(text, position, words):
    with pytest.raises(ExpressionError, match=words) as caught:
        parse(text)
    assert caught.value.position == position


def test_what_cannot_be_written_is_refused():
    for node in (Condition("a", "=", "'\""), Condition("a b", "=", "c"), Condition("a", "~", "c")):
        with pytest.raises(ExpressionError):
            str(node)


@pytest.mark.parametrize(
    ("text", "event", "included"),
    [
        ("topic=ftrack.*", {"topic": "ftrack.update"}, True),
        ("topic=ftrack.*", {"topic": "my.ftrack.update"}, False),
        ("topic=*", {"topic": ""}, True),
        ("data.n > 9", {"data": {"n": 10}}, True),
        ("data.n > 9", {"data": {"n": "10"}}, False),  # texts compare as texts
        ("data.n = 10", {"data": {"n": 10.0}}, True),
        ("data.n = 1*", {"data": {"n": 10}}, False),
        ("data.day >= 2026-01-31", {"data": {"day": "2026-02-01"}}, True),
        ("data.n != x", {"data": {}}, False),
        ("not data.n = x", {"data": {}}, True),
        ("data.n != x", {"data": {"n": None}}, True),
        ("data.ok = True", {"data": {"ok": True}}, True),
        ("data.ok > 0", {"data": {"ok": True}}, False),
        ("data.list = a", {"data": {"list": ["a"]}}, False),
        ("data.a.b = c", {"data": {"a": "b"}}, False),
    ],
)
def test_comparisons(text, event, included):
    assert Subscription(text).includes(event) is included


def test_a_subscription_includes_events_and_mappings():
    assert Subscription("data.a=b").includes(Event("t", data={"a": "b"}))
    assert str(Subscription("data.a=b")) == "data.a=b"


HOSTILE = {
    "parentheses": lambda n: "(" * (n // 2 - 2) + "a=b" + ")" * (n // 2 - 2),
    "open parentheses": lambda n: "(" * n,
    "left nesting": lambda n: "(" * (n // 10) + "a=b" + " and a=b)" * (n // 10),
    "right nesting": lambda n: "(a=b and " * (n // 10) + "a=b" + ")" * (n // 10),
    "both": lambda n: "(a=b and (a=b) and " * (n // 20) + "a=b" + ")" * (n // 20),
    "alternating": lambda n: "(a=b and (a=b or " * (n // 20) + "a=b" + "))" * (n // 20),
    "not": lambda n: "not " * (n // 4) + "a=b",
    "not in parentheses": lambda n: "not (" * (n // 6) + "a=b" + ")" * (n // 6),
    "and": lambda n: "a=b and " * (n // 8) + "a=b",
    "quotes": lambda n: "'" * n,
    "open quote": lambda n: "a='" + "x" * n,
    "long word": lambda n: "a" * n,
    "long number": lambda n: "a=" + "9" * n,
    "spaces": lambda n: " " * n,
    "wild": lambda n: "a=" + "*" * n,
    "dots": lambda n: "." * n + "=b",
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_no_input_takes_more_than_linear_time(shape):
    def cost(size):
        text = HOSTILE[shape](size)
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            with contextlib.suppress(ExpressionError):
                str(Subscription(text).expression)
            best = min(best, time.process_time() - begin)
        return best

    small, large = cost(8_000), cost(64_000)
    # Eight times the text: a quadratic parser would take sixty-four times as long.
    assert large < max(small, 0.002) * 30


def test_only_what_really_alternates_counts_as_depth():
    parse("(a=b and (a=b or " * (MAX_DEPTH // 2 - 1) + "a=b" + "))" * (MAX_DEPTH // 2 - 1))
    with pytest.raises(ExpressionError, match="nested more than"):
        parse("(a=b and (a=b or " * MAX_DEPTH + "a=b" + "))" * MAX_DEPTH)
    assert len(parse("(a=b and " * 5_000 + "a=b" + ")" * 5_000).nodes) == 5_001


@settings(max_examples=30)
@given(st.integers(min_value=0, max_value=10**400))
def test_numbers_of_any_length_compare(number):
    assert isinstance(Subscription(f"n={number}").includes({"n": number}), bool)
    assert Subscription("n >= 0").includes({"n": number})
