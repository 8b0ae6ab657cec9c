"""What goes wrong with the vendor's client, B1 to B26 of its description, and does not with ours."""

import concurrent.futures
import gc
import json
import pickle
import threading

import pytest

import sessionkit
from sessionkit.errors import Conflict, DeadlineExceeded, NoCurrentSession, NotFound, UnexpectedResponse
from sessionkit_dyn import DynectMultiSession, DynectSession, accounts, errors, records, tools
from sessionkit_dyn.mm.session import MMSession
from sessionkit_dyn.zones import Node, Zone, get_all_zones


def opened(sandbox, **options):
    return DynectSession("acme", "ann", "sandbox-ann", host=sandbox.url, **options)


def methods(sandbox, path):
    return [entry.method for entry in sandbox.requests(path=path)]


def test_b1_sessions_opened_at_once_by_many_threads_are_all_current(sandbox):
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        with opened(sandbox) as session:
            return DynectSession.get_session() is session

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(future.result() for future in [pool.submit(work) for _ in range(8)])


def test_b2_closing_while_another_thread_opens_disturbs_nobody(sandbox):
    def work():
        for _ in range(5):
            opened(sandbox).close()

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(work) for _ in range(6)]:
            future.result()


def test_b3_ended_threads_leave_no_session_and_no_token(sandbox):
    for _ in range(5):
        thread = threading.Thread(target=opened, args=(sandbox,))
        thread.start()
        thread.join()
    gc.collect()
    pause = threading.Event()
    for _ in range(100):
        if methods(sandbox, "/REST/Session*").count("DELETE") == 5:
            break
        pause.wait(0.05)
    assert methods(sandbox, "/REST/Session*").count("DELETE") == 5
    assert [session for session in sessionkit.sessions() if isinstance(session, DynectSession)] == []


def test_b4_one_session_serves_many_threads(sandbox, dyn):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: len(get_all_zones(session=dyn)), range(80)))
    assert answers == [2] * 80


def test_b5_a_multi_session_is_one(sandbox, dyn):
    with DynectMultiSession("acme", "ann", "sandbox-ann", host=sandbox.url) as multi:
        assert type(multi) is DynectMultiSession
        assert DynectSession.current() is multi
    assert DynectSession.current() is dyn


def test_b6_with_gives_the_session_and_an_error_of_the_block_comes_through(sandbox):
    def work():
        with opened(sandbox) as session:
            assert isinstance(session, DynectSession)
            sandbox.fault("reset", method="DELETE", times=None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()


def test_b7_every_wait_has_a_deadline(sandbox, dyn):
    for fault, options in (("job", {"polls": 9_999}), ("rate_limit", {"times": 9_999})):
        sandbox.fault(fault, **options)
        with pytest.raises((DeadlineExceeded, sessionkit.errors.RateLimited)):
            dyn.execute("/Zone/", timeout=30)
        sandbox.service("dyn")._api.limited = 0


def test_b8_b9_a_long_job_is_polled_without_recursion(sandbox, dyn):
    sandbox.fault("job", polls=400, style="incomplete")
    assert dyn.execute("/Zone/", timeout=10_000)["status"] == "success"


def test_b10_a_query_timeout_can_be_shown():
    assert str(errors.DynectQueryTimeout("late")) == "late"
    assert pickle.loads(pickle.dumps(errors.DynectQueryTimeout("late", job_id=3))).job_id == 3


def test_b11_a_connection_closed_while_idle_is_made_again(sandbox, dyn):
    for _ in range(3):
        sandbox.fault("hang_up")
        get_all_zones()
        get_all_zones()


def test_b12_a_bad_name_does_not_spoil_the_connection(dyn):
    for name in ("a b.example", "ä.example", "a\r\nX: y.example"):
        with pytest.raises(NotFound):
            Zone(name)
    assert len(get_all_zones()) == 2


def test_b13_an_expired_token_is_renewed_and_lost_changes_are_told(sandbox, dyn):
    Node("shop.example").add_record("A", "192.0.2.1")
    sandbox.fault("expire_token")
    with pytest.warns(errors.DynectChangesLostWarning):
        get_all_zones()


@pytest.mark.parametrize("fault", ["lost_reply", "reset"])
def test_b14_a_record_whose_answer_was_lost_is_there_once(sandbox, dyn, zone, fault):
    sandbox.fault(fault, method="POST", path="/REST/ARecord/*")
    made = zone.add_record("www", "A", "192.0.2.1", ttl=300)
    assert (made.address, made.ttl) == ("192.0.2.1", 300)
    assert dyn.pending_changes.keys() == {"test.example"}
    zone.publish()
    assert [record.address for record in zone.get_all_records_by_type("A")] == ["192.0.2.1"]


def test_b15_odd_bodies_are_typed_errors(sandbox, dyn):
    for body in ("<html>", "", '[{"status": "failure", "msgs": []}]', '{"status": "failure", "msgs": []}'):
        sandbox.fault("body", body=body, path="/REST/Zone*")
        with pytest.raises(errors.DynectError):
            dyn.execute("/Zone/")


def test_b16_deleting_an_unpublished_record_deletes_only_that_record(sandbox, dyn, zone):
    first = zone.add_record("www", "A", "192.0.2.1", ttl=60)
    second = zone.add_record("www", "A", "192.0.2.2", ttl=70)
    zone.add_record("www", "TXT", "stays")
    assert (first.record_id, first.address) == (0, "192.0.2.1")
    first.delete()
    zone.publish()
    found = zone.get_node("www").get_any_records()
    assert [(record.address, record.ttl) for record in found["a_records"]] == [(second.address, 70)]
    assert len(found["txt_records"]) == 1
    assert "DELETE" not in methods(sandbox, "/REST/ARecord/*")


def test_b16_the_last_unpublished_record_goes_too(dyn, zone):
    zone.add_record("www", "A", "192.0.2.1").delete()
    zone.publish()
    with pytest.raises(NotFound):
        zone.get_node("www").get_any_records()


def test_b16_threads_that_add_meanwhile_lose_nothing(dyn, zone):
    doomed = [zone.add_record("www", "A", f"192.0.2.{number}") for number in range(4)]
    work = [record.delete for record in doomed]
    work += [lambda n=n: zone.add_record("www", "A", f"198.51.100.{n}") for n in range(4)]
    with sessionkit.ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(each) for each in work]:
            future.result()
    zone.publish()
    found = sorted(record.address for record in zone.get_all_records_by_type("A"))
    assert found == [f"198.51.100.{n}" for n in range(4)]


def test_b17_what_is_listed_knows_where_it_is(dyn):
    (mx1,) = Node("shop.example", "mx1.shop.example").get_any_records()["a_records"]
    assert (mx1.zone, mx1.fqdn) == ("shop.example", "mx1.shop.example")
    listed = [r for r in Node("shop.example").get_all_records()["a_records"] if r.fqdn == "mx1.shop.example"]
    assert listed == [mx1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TXT", "text"),
        ("SPF", "v=spf1 -all"),
        ("PTR", "host.example."),
        ("NS", "ns.example."),
        ("DNAME", "other.example."),
        ("NSAP", "0x47.0005"),
        ("DHCID", "c2FuZGJveA=="),
    ],
)
def test_b18_one_positional_value_always_creates(sandbox, dyn, zone, name, value):
    made = records.RECORD_CLASSES[name]("test.example", "one.test.example", value)
    assert list(made.rdata().values()) == [value]
    assert methods(sandbox, f"/REST/{name}Record/*") == ["POST"]


def test_b18_a_missing_value_is_named_not_taken_for_a_number(sandbox, dyn):
    with pytest.raises(errors.DynectInvalidArgumentError, match="keytag"):
        records.DSRecord("shop.example", "x.shop.example", "0a1b")
    assert methods(sandbox, "/REST/DSRecord/*") == []


def test_b19_change_ip_publishes_when_asked_and_copes_with_an_empty_zone(dyn, zone):
    assert tools.change_ip(zone, "192.0.2.1", "192.0.2.2", publish=True) == []
    zone.add_record("www", "A", "192.0.2.1")
    zone.publish()
    serial = zone.serial
    tools.change_ip(zone, "192.0.2.1", "192.0.2.2", publish=True)
    assert zone.serial == serial + 1
    assert dyn.pending_changes == {}


def test_b20_csync_keeps_ttl_and_types(dyn, zone):
    made = records.CSYNCRecord("test.example", "test.example", 3, ["soaminimum"], ["A", "NS"], 300)
    zone.publish()
    (read,) = zone.get_node().get_all_records_by_type("CSYNC")
    for record in (made, read):
        assert (record.ttl, record.flags, record.rectypes) == (300, ["soaminimum"], ["A", "NS"])


def test_b21_nothing_is_published_unless_asked(dyn, zone):
    serial = zone.serial
    zone.add_record("www", "A", "192.0.2.1")
    assert zone.refresh().serial == serial


def test_b22_a_setter_sends_the_whole_record(sandbox, dyn):
    mx = Node("shop.example").get_all_records_by_type("MX")[0]
    mx.preference = 30
    sent = json.loads(sandbox.requests()[-1].body)
    assert sent == {"rdata": {"exchange": "mx1.shop.example.", "preference": 30}, "ttl": 3600}


def test_b23_todays_algorithms_are_known(dyn, zone):
    zone.add_record("a", "DS", "0a" * 32, 7, 13, 2)
    zone.add_record("a", "DNSKEY", 3, "c2FuZGJveA==", 15, 257)
    zone.add_record("a", "SSHFP", 4, 2, "0a" * 32)
    zone.publish()


def test_b24_attributes_ask_nothing(sandbox, dyn, zone):
    made = zone.add_record("www", "A", "192.0.2.1")
    zone.publish()
    listed = zone.get_all_records()
    found = Zone("test.example")
    assert found.contact
    sandbox.clear()
    assert all((made.address, made.ttl, made.zone, made.fqdn, made.record_type))
    assert [(record.ttl, record.rdata()) for each in listed.values() for record in each]
    assert all((found.contact, found.ttl, found.serial, found.serial_style, found.zone_type, found.name))
    assert sandbox.requests() == []
    assert [record.fqdn for record in zone.get_all_records_by_type("A")] == ["www.test.example"]
    assert len({found, zone, made}) == 2


def test_b25_a_search_by_two_keys_means_both(dyn):
    accounts.User("bob", password="secret-3", first_name="Bob", organization="Acme")
    accounts.User("bea", password="secret-3", first_name="Bea", organization="Acme")
    found = accounts.get_users({"organization": "acme", "first_name": "bob"})
    assert [user.name for user in found] == ["bob"]
    assert accounts.Notifier.create("no recipients").name


def test_b26_no_secret_in_lists_pickles_and_history(sandbox):
    with DynectMultiSession("acme", "ann", "sandbox-ann", host=sandbox.url, history=True) as multi:
        multi.new_user_session("acme", "ops", "sandbox-ops")
        multi.execute("/User/bob/", "POST", {"password": "secret-4", "nested": {"password": "secret-4"}})
        tokens = [login.source.get().value for login in multi._logins.values()]
        shown = f"{multi.get_open_sessions} {multi.history} {multi!r}"
        with pytest.raises(TypeError):
            pickle.dumps(multi)
    for secret in ("sandbox-ann", "sandbox-ops", "secret-4", *tokens):
        assert secret not in shown


def test_no_session_is_a_typed_error_that_says_how_to_open_one():
    with pytest.raises(NoCurrentSession, match=r"DynectSession\(customer=..., username=..., password=...\)"):
        get_all_zones()
    with pytest.raises(NoCurrentSession, match="MMSession"):
        MMSession.current()


def test_an_answer_without_its_data_is_typed(sandbox, dyn):
    sandbox.fault("body", body='{"status": "success"}', path="/REST/Zone*")
    with pytest.raises(UnexpectedResponse):
        get_all_zones()
    with pytest.raises(Conflict):
        Zone("shop.example", contact="ann@shop.example")
