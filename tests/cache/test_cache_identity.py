from __future__ import annotations

import pytest

from sessionkit.cache import MemoryCache, scoped
from sessionkit.outcome import Identity


@pytest.fixture(params=["memory", "file_cache", "redis_cache"])
def store(request):
    return MemoryCache() if request.param == "memory" else request.getfixturevalue(request.param)


def test_nobody_reads_lists_or_clears_anothers_entries(store, identity):
    owners = [
        identity("ann"),
        identity("bob"),
        identity(""),
        identity(None),
        identity("ann", base_url="https://other.test"),
        identity("ann", metakey="other"),
        identity('ann", "https://service.test'),
    ]
    views = [scoped(store, owner) for owner in owners]
    for number, view in enumerate(views):
        view.set("k", f"of {number}")
        view.set(b"k", b"bytes")
    assert [view.get("k") for view in views] == [f"of {number}" for number in range(len(views))]
    views[0].clear("k")
    views[1].clear()
    views[2].remove("k")
    assert [len(view.keys()) for view in views] == [0, 0, 1, 2, 2, 2, 2]
    for view in views[:2]:
        with pytest.raises(KeyError) as caught:
            view.get("k")
        assert caught.value.args == ("k",)


def test_the_same_identity_finds_its_entries_again(store):
    scoped(store, Identity("service", "ann", "https://service.test")).set("k", "v")
    assert scoped(store, Identity("service", "ann", "https://service.test")).get("k") == "v"


def test_what_is_shared_is_shared_at_one_url_only(store, identity):
    scoped(store, identity("ann"), shared=True).set("k", "v")
    assert scoped(store, identity("bob"), shared=True).get("k") == "v"
    for stranger in (identity("bob", base_url="https://other.test"), identity("bob", metakey="other")):
        with pytest.raises(KeyError):
            scoped(store, stranger, shared=True).get("k")
    for private in ("ann", "shared", "", None):
        with pytest.raises(KeyError):
            scoped(store, identity(private)).get("k")


def test_keys_tell_nothing_about_the_owner(store, identity):
    scoped(store, identity("ann.secretary", base_url="https://hidden.test")).set("k", "v")
    (key,) = store.keys()
    assert key.endswith(":k")
    assert "ann" not in key
    assert "hidden" not in key


def test_patterns_see_the_key_as_it_was_set(identity):
    view = scoped(MemoryCache(), identity())
    for key in ("a1", "1a"):
        view.set(key, "v")
    view.clear("^1")
    assert view.keys() == ["a1"]


def test_closing_a_view_leaves_the_cache_open(file_cache, identity):
    with scoped(file_cache, identity()) as view:
        view.set("k", "v")
    assert scoped(file_cache, identity()).get("k") == "v"
