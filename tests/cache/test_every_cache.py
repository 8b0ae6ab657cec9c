"""What all caches have in common."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionkit.cache import Cache, ProxyCache, SerialisedCache


def test_a_missing_key_is_a_key_error(any_cache):
    for action in (any_cache.get, any_cache.remove):
        with pytest.raises(KeyError) as caught:
            action("nothing")
        assert caught.value.args == ("nothing",)


def test_a_value_is_found_again_until_it_is_removed(any_cache):
    any_cache.set("k", "one")
    any_cache.set("k", b"two")
    assert any_cache.get("k") == b"two"
    assert any_cache.keys() == ["k"]
    assert any_cache.values() == [b"two"]
    assert any_cache.remove("k") == b"two"
    assert any_cache.keys() == []
    with pytest.raises(KeyError):
        any_cache.get("k")


def test_text_and_bytes_are_different_keys_and_stay_what_they_are(any_cache):
    any_cache.set("k", "text")
    any_cache.set(b"k", b"\x00\xff")
    assert any_cache.get("k") == "text"
    assert any_cache.get(b"k") == b"\x00\xff"
    assert sorted(any_cache.keys(), key=repr) == ["k", b"k"]


def test_clear_removes_the_keys_a_regular_expression_finds_anywhere(any_cache):
    for key in ("Task:1", "Task:2", "User:1", b"Task:1\xff"):
        any_cache.set(key, "v")
    any_cache.clear("sk:1")
    assert sorted(any_cache.keys()) == ["Task:2", "User:1"]
    any_cache.clear(re.compile("^USER", re.IGNORECASE))
    assert any_cache.keys() == ["Task:2"]
    any_cache.clear()
    assert any_cache.keys() == []
    any_cache.clear()


def test_a_wrong_expression_removes_nothing(any_cache):
    any_cache.set("k", "v")
    with pytest.raises(re.error):
        any_cache.clear("(")
    assert any_cache.keys() == ["k"]


KEYS = st.one_of(st.text(max_size=3), st.binary(max_size=3), st.sampled_from(["a", "b", "%", "*", "a\0b"]))
VALUES = st.one_of(st.text(max_size=20), st.binary(max_size=20))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, VALUES),
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("remove"), KEYS),
        st.tuples(st.just("clear"), st.sampled_from([None, "a", "^b", "\\d", "[^a]$", ""])),
    ),
    max_size=30,
)


def outcome(action, *args):
    try:
        return action(*args)
    except KeyError:
        return KeyError


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(steps=STEPS)
def test_a_cache_does_what_a_dictionary_would(any_cache, steps):
    any_cache.clear()
    model: dict = {}
    for name, *args in steps:
        if name == "set":
            any_cache.set(*args)
            model[args[0]] = args[1]
        elif name == "get":
            assert outcome(any_cache.get, *args) == model.get(args[0], KeyError)
        elif name == "remove":
            assert outcome(any_cache.remove, *args) == model.pop(args[0], KeyError)
        else:
            any_cache.clear(*args)
            for key in list(model):
                if re.search(args[0] or "", key if isinstance(key, str) else key.decode("latin-1")):
                    del model[key]
        assert set(any_cache.keys()) == set(model)
    assert sorted(map(repr, any_cache.values())) == sorted(map(repr, model.values()))


def test_threads_do_not_disturb_each_other(any_cache):
    errors = []

    def work(number):
        try:
            for turn in range(40):
                key = f"{number}:{turn % 5}"
                any_cache.set(key, f"{key}:{turn}")
                any_cache.set("shared", f"{number}")
                assert any_cache.get(key) == f"{key}:{turn}"
                assert int(outcome_or(any_cache, "shared", "0")) < 8
                if turn % 7 == 0:
                    any_cache.clear(f"^{number}:")
                    keys = any_cache.keys()
                    assert not any(key.startswith(f"{number}:") for key in keys)
                any_cache.values()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def outcome_or(cache, key, default):
    try:
        return cache.get(key)
    except KeyError:
        return default


def test_of_many_who_remove_a_value_one_gets_it(any_cache):
    for turn in range(10):
        any_cache.set("prize", str(turn))
        got = []
        barrier = threading.Barrier(6)

        def take(barrier=barrier, got=got):
            barrier.wait(10)
            got.append(outcome(any_cache.remove, "prize"))

        threads = [threading.Thread(target=take) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(map(str, got)) == sorted([str(turn), *[str(KeyError)] * 5])


def test_values_of_any_shape_are_serialised(serialised_cache):
    value = {"id": 7, "tags": ["a", None, 1.5]}
    serialised_cache.set("k", value)
    assert serialised_cache.get("k") == value
    assert serialised_cache.get("k") is not value
    assert serialised_cache.values() == [value]
    assert serialised_cache.remove("k") == value


def test_encoders_are_the_users(any_cache):
    cache = SerialisedCache(any_cache, encode=lambda value: value[::-1], decode=lambda raw: raw[::-1])
    cache.set("k", "abc")
    assert any_cache.get("k") == "cba"
    assert cache.get("k") == "abc"


def test_what_cannot_be_decoded_is_missing_and_goes(serialised_cache, caplog):
    serialised_cache.proxied.set("k", "{secret")
    with pytest.raises(KeyError):
        serialised_cache.get("k")
    assert serialised_cache.keys() == []
    assert "secret" not in caplog.text
    serialised_cache.proxied.set("k", "{")
    with pytest.raises(KeyError):
        serialised_cache.remove("k")


def test_what_cannot_be_encoded_is_the_callers_mistake(serialised_cache):
    with pytest.raises(TypeError):
        serialised_cache.set("k", object())


@pytest.mark.parametrize("kind", ["file_cache", "redis_cache"])
def test_stores_refuse_what_is_neither_text_nor_bytes(kind, request):
    cache = request.getfixturevalue(kind)
    with pytest.raises(TypeError, match="SerialisedCache"):
        cache.set("k", {"a": 1})


def test_a_value_that_was_asked_for_in_an_earlier_epoch_is_not_kept(any_cache):
    epoch = any_cache.epoch()
    assert any_cache.epoch() == epoch
    assert any_cache.set_within(epoch, "k", b"one")
    assert any_cache.get("k") == b"one"
    any_cache.advance()
    assert any_cache.epoch() != epoch
    assert not any_cache.set_within(epoch, "k", b"two")
    assert not any_cache.set_within(epoch, "new", b"two")
    assert any_cache.get("k") == b"one"
    assert any_cache.keys() == ["k"]
    assert any_cache.set_within(any_cache.epoch(), "k", b"three")
    any_cache.clear()
    assert any_cache.set_within(any_cache.epoch(), "k", b"four")


def test_no_value_outlives_a_change_that_races_with_it(any_cache):
    """Writers announce a change and drop what is kept; what readers asked for before must be gone."""
    truth, stop = [0], threading.Event()
    errors = []

    def read():
        while not stop.is_set():
            epoch = any_cache.epoch()
            seen = truth[0]
            any_cache.set_within(epoch, "k", f"{seen}")

    def write():
        for number in range(1, 60):
            truth[0] = number
            any_cache.advance()
            any_cache.clear()
            try:
                kept = int(any_cache.get("k"))
            except KeyError:
                continue
            if kept < number:
                errors.append((kept, number))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    write()
    stop.set()
    for reader in readers:
        reader.join(20)
    assert not errors


def test_a_cache_of_ones_own_has_epochs_too():
    class Own(Cache):
        def __init__(self):
            self.kept = {}

        def get(self, key):
            return self.kept[key]

        def set(self, key, value):
            self.kept[key] = value

        def remove(self, key):
            return self.kept.pop(key)

        def keys(self):
            return list(self.kept)

    class Louder(ProxyCache):
        def set(self, key, value):
            super().set(key, value.upper())

    cache = Louder(Own())
    epoch = cache.epoch()
    assert cache.set_within(epoch, "k", "v")
    assert cache.get("k") == "V"
    cache.advance()
    assert not cache.set_within(epoch, "k", "w")
