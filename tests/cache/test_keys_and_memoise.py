from __future__ import annotations

import copy
import datetime as dt
import decimal
import enum
import fractions
import io
import os
import pathlib
import pickle
import re
import subprocess
import sys
import threading
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionkit.cache import (
    FileCache,
    KeyMaker,
    LayeredCache,
    Memoiser,
    MemoryCache,
    ObjectKeyMaker,
    SerialisedCache,
    StringKeyMaker,
    memoise,
    memoise_decorator,
)
from sessionkit.errors import ConfigurationError
from sessionkit.testing import ManualClock

HERE = __name__.encode()


def add(x, y=2):
    return x + y


class Thing:
    def __init__(self, number=1):
        self.number = number
        self.calls = 0

    def method(self, factor=2):
        return self.number * factor

    @staticmethod
    def name():
        return "thing"


class Other:
    @staticmethod
    def name():
        return "other"


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("item", "key"),
    [
        (1, b"\x80\x02K\x01."),
        ("a", b"\x80\x02X\x01\x00\x00\x00aq\x00."),
        ("ü", b"\x80\x02X\x02\x00\x00\x00\xc3\xbcq\x00."),
        (1.5, b"\x80\x02G?\xf8\x00\x00\x00\x00\x00\x00."),
        (True, b"\x80\x02\x88."),
        (None, b"\x80\x02N."),
        (b"ab", b"\x03\x80\x02Ka.\x00\x80\x02Kb.\x03"),
        ((1, 2), b"\x03\x80\x02K\x01.\x00\x80\x02K\x02.\x03"),
        ([1, 2], b"\x03\x80\x02K\x01.\x00\x80\x02K\x02.\x03"),
        ({3, 1}, b"\x03\x80\x02K\x01.\x00\x80\x02K\x03.\x03"),
        ((), b"\x03\x03"),
        ({}, b"\x01\x01"),
        (
            {"b": 1, "a": 2},
            (
                b"\x01\x80\x02X\x01\x00\x00\x00aq\x00.\x02\x80\x02K\x02.\x00"
                b"\x80\x02X\x01\x00\x00\x00bq\x00.\x02\x80\x02K\x01.\x01"
            ),
        ),
        (
            {1: {"a": [1]}},
            b"\x01\x80\x02K\x01.\x02\x01\x80\x02X\x01\x00\x00\x00aq\x00.\x02\x03\x80\x02K\x01.\x03\x01\x01",
        ),
        (add, b"\x04add\x00" + HERE),
        (Thing, b"\x04Thing\x00" + HERE),
        (Thing.method, b"\x04method\x00" + HERE),
        (Thing().method, b"\x04method\x00Thing\x00" + HERE),
        (len, b"\x04len"),
    ],
)
def test_object_keys_have_the_known_format(item, key):
    assert ObjectKeyMaker().key(item) == key


def test_items_are_joined():
    assert ObjectKeyMaker().key(1, 1) == b"\x80\x02K\x01.\x00\x80\x02K\x01."
    assert ObjectKeyMaker().key() == b""
    assert StringKeyMaker().key("Task", 7, None) == "Task7None"


def test_mappings_with_names_of_several_types_have_keys():
    assert ObjectKeyMaker().key({"a": 1, 2: 1}) == ObjectKeyMaker().key({2: 1, "a": 1})


def test_objects_of_many_kinds_have_keys():
    make = ObjectKeyMaker().key
    things = [
        Colour.RED,
        dt.date(2020, 1, 2),
        10**30,
        range(2),
        frozenset("a"),
        bytearray(b"x"),
        Thing(),
    ]
    assert len({make(thing) for thing in things}) == len(things)


class Slotted:
    __slots__ = ("__private", "number")

    def __init__(self, number=1, private=2):
        self.number = number
        self.__private = private


class Named:
    def __init__(self, identity, secret):
        self.identity = identity
        self.secret = secret

    def __cache_key__(self):
        return self.identity


class Number(int):
    pass


class Nasty:
    """Whose pickle would run code of its own."""

    def __init__(self):
        self.x = 1

    def __reduce__(self):
        raise AssertionError("nobody is asked to pickle itself")


def loop():
    items = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    "item",
    [threading.Lock(), object(), iter([1]), (n for n in [1]), io.BytesIO(b"x"), loop()],
    ids=lambda item: type(item).__name__,
)
def test_what_cannot_be_a_key_is_told(item):
    with pytest.raises(ConfigurationError, match="No key can be made of"):
        ObjectKeyMaker().key({"a": item})


def test_nobody_is_asked_to_pickle_itself():
    make = ObjectKeyMaker().key
    assert make(Nasty()) == make(Nasty())
    assert b"Nasty" in make(Nasty())


def test_objects_are_told_apart_by_type_and_attributes():
    make = ObjectKeyMaker().key
    assert make(Thing(1)) == make(Thing(1))
    assert make(Slotted(1)) == make(Slotted(1))
    different = [Thing(1), Thing(2), Other(), Slotted(1), Slotted(2), Slotted(1, 3), Number(1), 1, True, 1.0]
    assert len({make(thing) for thing in different}) == len(different)


def test_an_object_may_say_what_it_is():
    make = ObjectKeyMaker().key
    assert make(Named(7, "a")) == make(Named(7, "b")) != make(Named(8, "a"))
    assert b"secret" not in make(Named(7, "secret"))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (dt.datetime(2020, 1, 2, tzinfo=dt.timezone.utc), dt.date(2020, 1, 2)),
        (dt.timedelta(1), dt.timedelta(2)),
        (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
        (fractions.Fraction(1, 2), 0.5),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (re.compile("a"), re.compile("a", re.IGNORECASE)),
        (1j, "1j"),
        (Colour.RED, 1),
        ("\ud800", "?"),
        ({1, 2}, {1, 3}),
        ({"a": {2, 1}}, {"a": {2}}),
    ],
    ids=repr,
)
def test_values_of_other_types_have_keys_of_their_own(one, two):
    make = ObjectKeyMaker().key
    assert make(one) == make(copy.deepcopy(one)) != make(two)


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=500)))
def test_plain_values_are_written_as_other_libraries_write_them(value):
    assert ObjectKeyMaker().key(value) == pickle.dumps(value, protocol=2)


def test_another_process_makes_the_same_keys():
    code = (
        "import sys, datetime as dt; from sessionkit.cache import ObjectKeyMaker; "
        "items = ({'b': {3, 'x', None, 1.5}, 'a': frozenset('hello')}, dt.date(2020, 1, 2), 2**70, -5); "
        "sys.stdout.write(ObjectKeyMaker().key(*items).hex())"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(keys) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.one_of(st.integers(), st.text(), st.none(), st.floats(allow_nan=False)),
        lambda inner: st.one_of(st.tuples(inner, inner), st.dictionaries(st.text(), inner)),
    ),
    st.recursive(st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)),
)
def test_equal_keys_mean_equal_items(one, two):
    make = ObjectKeyMaker().key
    assert make(one) == make(one)
    if make(one) == make(two):
        assert one == two


def test_a_key_maker_of_ones_own():
    class Upper(KeyMaker[str]):
        item_separator = "-"

        def _key(self, obj):
            return str(obj).upper()

    assert Upper().key("a", "b") == "A-B"


def test_arguments_are_the_same_however_they_are_passed():
    calls = []

    def function(a, b=2, *args, **kw):
        calls.append(a)
        return [a, b, args, kw]

    memoiser = Memoiser()
    first = memoiser.call(function, (1,))
    assert memoiser.call(function, (1, 2), {}) == first
    assert memoiser.call(function, (), {"b": 2, "a": 1}) == first
    assert len(calls) == 1
    assert memoiser.call(function, (1, 2, 3), {"z": 1}) == [1, 2, (3,), {"z": 1}]
    assert len(calls) == 2
    with pytest.raises(TypeError):
        memoiser.call(function)


def test_results_are_copies_unless_told_otherwise():
    def function():
        return [[]]

    memoiser = Memoiser()
    memoiser.call(function)[0].append("mine")
    memoiser.call(function)[0].append("mine")
    assert memoiser.call(function) == [[]]
    sharing = Memoiser(return_copies=False)
    assert sharing.call(function) is sharing.call(function)


def test_methods_count_per_object():
    memoiser = Memoiser()
    assert memoiser.call(Thing(3).method) == 6
    assert memoiser.call(Thing(4).method) == 8
    assert memoiser.call(Thing(3).method, (2,)) == 6
    assert memoiser.cache.statistics.entries == 2


def test_functions_of_the_same_name_are_told_apart():
    memoiser = Memoiser()
    assert [memoiser.call(owner.name) for owner in (Thing, Other)] == ["thing", "other"]
    adders = [lambda x, n=n: x + n for n in (1, 2)]

    def adder(n):
        return lambda x: x + n

    closures = [adder(n) for n in (1, 2)]
    assert [memoiser.call(function, (1,)) for function in adders + closures] == [2, 3, 2, 3]


def test_the_decorator_keeps_the_functions_face():
    calls = []

    @memoise
    def function(a: int, b: int = 2) -> int:
        """Adds."""
        calls.append(a)
        return a + b

    assert function.__name__ == "function"
    assert function.__doc__ == "Adds."
    assert [function(1), function(a=1), function(1, b=2)] == [3, 3, 3]
    assert calls == [1]


def test_a_cache_of_ones_own_sets_the_terms(tmp_path):
    clock, calls = ManualClock(), []
    remember = memoise_decorator(Memoiser(MemoryCache(ttl=60, clock=clock)))

    @remember
    def function():
        calls.append(1)

    function()
    function()
    clock.advance(60)
    function()
    assert len(calls) == 2
    with FileCache(tmp_path / "cache.db") as store:
        assert Memoiser(SerialisedCache(store)).call(add, (1,)) == 3
        again = Memoiser(SerialisedCache(store), key_maker=ObjectKeyMaker())
        assert again.call(add, (1,), {"y": 2}) == 3
        assert len(store.keys()) == 1


@pytest.mark.parametrize("layers", [1, 2])
def test_a_result_of_before_a_change_that_came_meanwhile_is_not_kept(layers):
    cache = LayeredCache([MemoryCache() for _ in range(layers)])
    memoiser = Memoiser(cache)
    calls = []

    def look():
        calls.append(1)
        if len(calls) == 1:
            cache.advance()
            cache.clear()
        return len(calls)

    assert [memoiser.call(look) for _ in range(3)] == [1, 2, 2]


def test_an_error_is_not_kept():
    calls = []

    def function():
        calls.append(1)
        raise ValueError

    memoiser = Memoiser()
    for _ in range(2):
        with pytest.raises(ValueError):
            memoiser.call(function)
    assert len(calls) == 2
