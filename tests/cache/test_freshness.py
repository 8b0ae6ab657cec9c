from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionkit.cache import freshness

NOW = 1_767_225_600.0
TODAY = "Thu, 01 Jan 2026 00:00:00 GMT"
IN_A_MINUTE = "Thu, 01 Jan 2026 00:01:00 GMT"
HOUR_LATER = "Thu, 01 Jan 2026 01:01:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 30),
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": 'Private , MAX-AGE = "60"'}, 60),
        ({"cache-control": "max-age=60, max-age=5"}, 60),
        ({"cache-control": "max-age=60, no-cache"}, 0),
        ({"cache-control": "max-age=0"}, 0),
        ({"cache-control": "max-age=-5"}, 0),
        ({"cache-control": "max-age=soon"}, 0),
        ({"cache-control": "max-age="}, 0),
        ({"cache-control": "max-age=1.5"}, 0),
        ({"cache-control": "max-age=٣"}, 0),
        ({"cache-control": "max-age=" + "9" * 5000}, 2**31),
        ({"cache-control": "s-maxage=99"}, 30),
        ({"expires": IN_A_MINUTE}, 60),
        ({"expires": HOUR_LATER, "date": "Thu, 01 Jan 2026 01:00:00 GMT"}, 60),
        ({"expires": IN_A_MINUTE, "date": "yesterday"}, 60),
        ({"expires": TODAY}, 0),
        ({"expires": "0"}, 0),
        ({"expires": ""}, 0),
        ({"expires": "Thu, 99 Jan 99999 00:00:00 GMT"}, 0),
        ({"expires": IN_A_MINUTE, "cache-control": "max-age=5"}, 5),
        ({"vary": "*", "cache-control": "max-age=60"}, 0),
        ({"last-modified": "Thu, 01 Jan 2015 00:00:00 GMT"}, 30),
    ],
    ids=str,
)
def test_lifetimes(headers, seconds):
    assert freshness.lifetime(headers, NOW, 30, shared=False) == seconds


def test_shared_caches_have_a_directive_of_their_own():
    headers = {"cache-control": "max-age=60, s-maxage=99"}
    assert freshness.lifetime(headers, NOW, None, shared=True) == 99
    assert freshness.lifetime(headers, NOW, None, shared=False) == 60


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ("", 300),
        ("stale-if-error=20", 20),
        ("stale-if-error=0", 0),
        ("must-revalidate, stale-if-error=20", 0),
        ("no-cache", 0),
    ],
)
def test_grace(control, seconds):
    assert freshness.grace({"cache-control": control}, 300) == seconds


@given(
    st.dictionaries(st.sampled_from(["cache-control", "expires", "date", "age", "vary", "etag"]), st.text())
)
def test_no_header_a_server_could_send_raises(headers):
    for shared in (True, False):
        assert 0 <= freshness.lifetime(headers, NOW, None, shared=shared) < math.inf
        freshness.storable(200, headers, shared=shared)
    assert freshness.grace(headers, 0) >= 0
    assert freshness.seconds(headers.get("age")) >= 0
    freshness.validators(headers)
