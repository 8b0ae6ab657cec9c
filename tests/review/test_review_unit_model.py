"""Any order of what a session does and what happens to it: see `unit_model`."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit_model import ABSENT, LOST, SLOTS, Studio, run

from sessionkit.http import RetryPolicy
from sessionkit_review import ReviewSession

SLOT = st.integers(0, SLOTS - 1)
ABOVE = st.one_of(st.none(), SLOT)
VALUE = {
    "description": st.sampled_from(["old", "new", "", None]),
    "bid": st.sampled_from([0.0, 1.0, 2.5]),
    "status": st.integers(0, 2),
    "parent": ABOVE,
    "scopes": st.frozensets(st.integers(0, 1)),
    "meta k": st.sampled_from([ABSENT, "old", "new"]),
    "meta l": st.sampled_from([ABSENT, "new"]),
    "fstart": st.integers(1, 2),
}
SETTING = st.one_of([st.tuples(st.just(key), value) for key, value in VALUE.items()])
NEW = st.fixed_dictionaries({}, optional={key: value for key, value in VALUE.items() if "meta" not in key})


def steps(*names):
    return [st.tuples(st.just(name), SLOT) for name in names]


SET = st.builds(lambda slot, pair: ("set", slot, *pair), SLOT, SETTING)
STEP = st.one_of(
    SET,
    SET,
    st.builds(lambda slot, pair: ("theirs", slot, *pair), SLOT, SETTING),
    st.tuples(st.just("create"), SLOT, NEW),
    st.tuples(st.just("scope"), SLOT, st.integers(0, 1)),
    st.tuples(st.just("quiet"), SLOT, VALUE["description"]),
    st.tuples(st.just("revert"), SLOT, st.sampled_from(sorted(VALUE))),
    st.tuples(st.just("read"), SLOT, st.booleans()),
    st.tuples(st.just("commit"), st.sampled_from(["", "", *LOST])),
    *steps("delete", "query", "populate", "refresh", "merge", "their_delete"),
    *[st.just((name,)) for name in ("rollback", "reset", "refused", "hear")],
)


@pytest.fixture(scope="module")
def studio(shared_sandbox, tmp_path_factory):
    opened = []

    def open_session():
        opened.append(
            ReviewSession.detached(
                server_url=shared_sandbox.env["FTRACK_SERVER"],
                api_key=shared_sandbox.env["FTRACK_API_KEY"],
                api_user=shared_sandbox.env["FTRACK_API_USER"],
                schema_cache_path=tmp_path_factory.getbasetemp() / "schemas",
                plugin_paths=[],
                retry=RetryPolicy(base=0.0),
            )
        )
        return opened[-1]

    yield Studio(shared_sandbox, open_session)
    for session in opened:
        session.rollback()
        session.close()


def schedules(count, longest, **options):
    def decorate(test):
        given_schedule = given(st.lists(STEP, min_size=8, max_size=longest))(test)
        return settings(
            max_examples=count,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            **options,
        )(given_schedule)

    return decorate


@schedules(25, 20, derandomize=True)
def test_any_schedule(studio, schedule):
    run(studio, schedule)


@pytest.mark.soak
@schedules(1500, 30)
def test_many_schedules(studio, schedule):
    run(studio, schedule)
