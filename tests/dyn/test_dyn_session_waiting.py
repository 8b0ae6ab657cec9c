"""Jobs, busy sessions, blocked zones, rate limits: waited for, within the deadline, and told."""

import pytest

from sessionkit import RetryPolicy
from sessionkit.errors import CallTimeout, Conflict, NotFound, RateLimited
from sessionkit_dyn import DynectSession, errors, zones


@pytest.fixture
def told(dyn):
    """What `progress` hears."""
    heard = []
    dyn.progress = heard.append
    return heard


@pytest.mark.parametrize("style", ["redirect", "incomplete"])
def test_a_job_is_waited_for(sandbox, dyn, told, style):
    sandbox.fault("job", polls=3, style=style)
    zone = zones.Zone("slow.example", contact="ann@slow.example")
    assert zone.zone_type == "Primary"
    assert [progress.what for progress in told] == ["job"] * 4
    assert [round(progress.delay, 2) for progress in told] == [1.0, 1.6, 2.56, 4.1]
    assert told[-1].elapsed == pytest.approx(5.16)
    assert told[0].number is not None
    polls = sandbox.requests(path="/REST/Job/*")
    assert {entry.method for entry in polls} == {"GET"}
    assert {entry.body for entry in polls} <= {b"", "", None}


def test_a_job_that_does_not_end_is_one_error_at_the_deadline(sandbox, dyn, manual_clock):
    sandbox.fault("job", polls=10_000)
    with pytest.raises(errors.DynectQueryTimeout) as caught:
        dyn.execute("/Zone/shop.example/", "PUT", {"publish": True}, timeout=120)
    assert isinstance(caught.value, CallTimeout)
    assert isinstance(caught.value, errors.DynectError)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.job_id
    assert str(caught.value)
    assert sum(manual_clock.slept) <= 120
    assert len(caught.value.attempts) > 20


def test_a_jobs_error_is_the_original_calls(sandbox, dyn):
    sandbox.fault("job", polls=1)
    with pytest.raises(errors.DynectUpdateError) as caught:
        dyn.execute("/Zone/nowhere.example/", "PUT", {"publish": True})
    assert isinstance(caught.value, NotFound)


def test_a_lost_poll_is_asked_again_also_when_the_call_was_a_post(sandbox, dyn):
    sandbox.fault("job", polls=2)
    sandbox.fault("reset", path="/REST/Job/*")
    assert zones.Zone("slow.example", contact="ann@slow.example").name == "slow.example"


def test_a_job_lost_with_its_token_is_read_again_but_not_done_twice(sandbox, dyn):
    def spoil(_):
        sandbox.fault("expire_token")
        dyn.progress = None

    dyn.progress = spoil
    sandbox.fault("job", polls=1)
    assert dyn.execute("/Zone/")["status"] == "success"

    dyn.progress = spoil
    sandbox.fault("job", polls=1)
    with pytest.raises(errors.DynectUpdateError, match="may have been done") as caught:
        dyn.execute("/Zone/shop.example/", "PUT", {"freeze": True})
    assert "look before" in caught.value.hint


def test_a_job_at_another_host_is_not_followed(sandbox, dyn):
    sandbox.fault(
        "status", status=307, headers={"location": "http://evil.test/REST/Job/1"}, path="/REST/Zone*"
    )
    with pytest.raises(errors.DynectGetError, match="a job at"):
        dyn.execute("/Zone/")


def test_another_running_job_of_the_session_is_waited_for(sandbox, dyn, told):
    sandbox.fault("running", times=2)
    assert len(zones.get_all_zones()) == 2
    assert [progress.what for progress in told] == ["busy", "busy"]


def test_a_zone_held_by_a_task_is_waited_for(sandbox, dyn, told):
    sandbox.fault("block_zone", zone="shop.example", times=3)
    zones.Zone("shop.example").add_record("new", "A", "192.0.2.1")
    assert [progress.what for progress in told] == ["task"] * 3
    assert told[0].number is not None


def test_a_zone_that_stays_held_is_the_services_error_at_the_deadline(sandbox, dyn, manual_clock):
    sandbox.fault("block_zone", zone="shop.example", times=None)
    with pytest.raises(errors.DynectUpdateError, match="blocked by current task") as caught:
        dyn.execute("/Zone/shop.example/", "PUT", {"freeze": True}, timeout=60)
    assert isinstance(caught.value, Conflict)
    assert 40 < sum(manual_clock.slept) <= 60


def test_the_rate_limit_is_waited_for_also_by_a_post(sandbox, dyn, told):
    sandbox.fault("rate_limit", times=3)
    zones.Zone("shop.example").add_record("new", "A", "192.0.2.1")
    assert {progress.what for progress in told} == {"limit"}


def test_retry_after_is_honoured(sandbox, dyn, manual_clock):
    sandbox.fault("throttle", retry_after="7", path="/REST/Zone*")
    dyn.execute("/Zone/")
    assert manual_clock.slept == [7.0]


def test_final_and_never_take_not_now_for_the_answer(sandbox, dyn, manual_clock):
    sandbox.fault("rate_limit")
    with pytest.raises(RateLimited):
        dyn.execute("/Zone/", final=True)
    sandbox.fault("rate_limit", times=2)
    never = {"host": sandbox.url, "retry": RetryPolicy.never(), "auto_auth": False}
    with (
        pytest.raises(errors.DynectError),
        DynectSession.detached("acme", "ann", "sandbox-ann", **never) as session,
    ):
        session.execute("/Zone/")
    assert manual_clock.slept == []


def test_waiting_is_told_on_the_hub(sandbox, dyn):
    heard = []
    dyn.event_hub.connect()
    dyn.event_hub.subscribe(
        "topic=dyn.*", lambda event: heard.append((event["topic"], event["data"]["delay"]))
    )
    sandbox.fault("job", polls=1)
    dyn.execute("/Zone/")
    dyn.event_hub.wait(0.1)
    assert heard[0] == ("dyn.job.waiting", 1.0)


def test_what_progress_raises_ends_the_call(sandbox, dyn):
    def stop(progress):
        if progress.call.startswith("GET /Zone"):
            raise InterruptedError

    dyn.progress = stop
    sandbox.fault("job", polls=5)
    with pytest.raises(InterruptedError):
        dyn.execute("/Zone/")
