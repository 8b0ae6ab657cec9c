"""Message Management, from our side."""

import datetime as dt
import pickle

import pytest

from sessionkit.errors import (
    AuthenticationError,
    Conflict,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
from sessionkit_dyn import MMSession
from sessionkit_dyn.errors import DynectInvalidArgumentError
from sessionkit_dyn.mm import accounts, encoding, errors, message, reports

BEGIN = dt.datetime(2025, 12, 31, tzinfo=dt.timezone.utc)


@pytest.fixture
def mail(sandbox, manual_clock):
    with MMSession("sandbox-mail-key", host=sandbox.url, clock=manual_clock) as session:
        yield session


def test_making_it_asks_nothing_and_has_the_vendors_address(sandbox):
    with MMSession.detached("some-key") as session:
        assert session.base_url == "https://emailapi.dynect.net:443"
        assert str(session) == "<MMSession>"
    assert sandbox.requests() == []


def test_a_message_is_sent_counted_and_listed(sandbox, mail):
    message.send_message(
        "news@shop.example",
        ["kim@customer.example", "gone@customer.example"],
        "Hello",
        body="Grüße & 100%",
        xheaders={"X-demo": 1},
    )
    sent = sandbox.requests()[-1]
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"to=kim%40customer.example%2Cgone%40customer.example" in sent.body
    assert b"X-demo=1" in sent.body
    assert "sandbox-mail-key" not in sent.path
    assert reports.Sent(BEGIN).count == 2
    (entry,) = reports.Delivered(BEGIN, sender="news@shop.example")
    assert entry["emailaddress"] == "kim@customer.example"
    assert [each["emailaddress"] for each in reports.Issue(BEGIN)] == ["gone@customer.example"]
    assert list(reports.Bounce(BEGIN)) == list(reports.Complaint(BEGIN)) == []
    assert reports.Opens(BEGIN, domain="customer.example").unique_count == 0
    assert list(reports.Clicks(BEGIN, recipient="kim@customer.example").unique) == []


def test_reports_go_on_page_after_page(sandbox, mail):
    message.send_message(
        "news@shop.example", [f"r{n}@customer.example" for n in range(60)], "Hello", body="x"
    )
    assert len(list(reports.Sent(BEGIN))) == 60
    assert len(list(reports.Sent(BEGIN, startindex=55))) == 5


def test_templates(sandbox, mail):
    message.EMail("news@shop.example", "kim@customer.example", "Hello", body="x").send()
    message.HTMLEMail("news@shop.example", "kim@customer.example", "Hello").send("<p>x</p>")
    template = message.TemplateEMail("news@shop.example", "kim@customer.example", "Hello", body="Dear %s")
    template.send("Kim")
    assert b"bodytext=Dear+Kim" in sandbox.requests()[-1].body
    message.HTMLTemplateEMail("news@shop.example", "kim@x.example", "Hello", html="<p>%(name)s</p>").send(
        name="Kim"
    )
    assert b"bodyhtml=%3Cp%3EKim%3C%2Fp%3E" in sandbox.requests()[-1].body
    with pytest.raises(DynectInvalidArgumentError):
        template.send("Kim", "Lou")
    with pytest.raises(DynectInvalidArgumentError):
        message.send_message("news@shop.example", "kim@customer.example", "Hello")


def test_senders(mail):
    sender = accounts.ApprovedSender("more@shop.example")
    sender.seeding = 1
    assert (sender.seeding, sender.status) == (1, True)
    assert sender.set_dkim("key1")["dkimrecord"] == "key1._domainkey.shop.example"
    assert [each.emailaddress for each in accounts.get_all_senders(start_index=2)] == ["more@shop.example"]
    with pytest.raises(errors.EmailObjectError) as caught:
        accounts.ApprovedSender("more@shop.example")
    assert isinstance(caught.value, Conflict)
    sender.delete()
    with pytest.raises(NotFound):
        _ = sender.details


def test_recipients_and_suppressions(mail):
    both = accounts.Recipient(["kim@customer.example", "gone@customer.example"])
    assert both.status == {"kim@customer.example": "active", "gone@customer.example": "inactive"}
    accounts.Suppression.add(["kim@customer.example"])
    assert accounts.count_suppressions() == 2
    listed = accounts.get_all_suppressions(startdate=dt.date(2025, 12, 1), enddate="2027-01-01")
    assert [each["emailaddress"] for each in listed] == ["gone@customer.example", "kim@customer.example"]
    assert len(list(accounts.get_all_suppressions(startindex=1))) == 1
    accounts.Suppression("gone@customer.example").activate()
    both.activate()
    assert accounts.count_suppressions() == 0


def test_accounts_are_listed_without_being_changed(sandbox, mail):
    made = accounts.Account("new@shop.example", password="secret-1", companyname="Acme", phone="1")
    sandbox.clear()
    assert [each.username for each in accounts.get_all_accounts()] == [
        "post@shop.example",
        "new@shop.example",
    ]
    assert {entry.method for entry in sandbox.requests()} == {"GET"}
    assert made.data["companyname"] == "Acme"
    made.delete()
    assert accounts.set_xheaders("X-campaign")["xheader1"] == "X-campaign"
    assert accounts.get_xheaders()["xheader1"] == "X-campaign"


@pytest.mark.parametrize(
    ("key", "call", "kind", "reason"),
    [
        ("wrong-key-1", ("/senders", "GET"), errors.EmailKeyError, AuthenticationError),
        ("sandbox-mail-key", ("/senders", "POST"), errors.EmailInvalidArgumentError, InvalidRequest),
        ("sandbox-mail-key", ("/nothing", "GET"), errors.EmailNotFoundError, NotFound),
    ],
)
def test_each_refusal_is_typed(sandbox, key, call, kind, reason):
    with MMSession.detached(key, host=sandbox.url) as session, pytest.raises(kind) as caught:
        session.execute(*call)
    assert isinstance(caught.value, reason)
    assert caught.value.code in {"451", "452", "404"}
    assert key not in f"{caught.value} {caught.value.url}"
    assert type(pickle.loads(pickle.dumps(caught.value))) is kind


@pytest.mark.parametrize(
    "body", ["", "[]", "null", "<html>", '{"response": 3}', '{"response": {}}', '{"response"']
)
def test_odd_answers_are_typed(sandbox, mail, body):
    sandbox.fault("body", body=body, service="dyn")
    with pytest.raises(UnexpectedResponse):
        mail.execute("/senders")


@pytest.mark.parametrize(("status", "kind"), [(503, ServerError), (429, RateLimited), (500, ServerError)])
def test_a_failing_service_is_asked_again_and_then_typed(sandbox, mail, status, kind):
    body = f'{{"response": {{"status": {status}, "message": "no", "data": {{}}}}}}'
    sandbox.fault("body", body=body, status=status, times=None)
    with pytest.raises(kind) as caught:
        mail.execute("/senders")
    assert isinstance(caught.value, errors.EmailError)
    assert len(caught.value.attempts) == (1 if status == 500 else 4)


def test_a_message_whose_answer_is_lost_is_not_sent_twice(sandbox, mail):
    sandbox.fault("lost_reply", method="POST")
    with pytest.raises(ConnectionError):
        message.send_message("news@shop.example", "kim@customer.example", "Hello", body="x")
    assert reports.Sent(BEGIN).count == 1


def test_wrong_methods_are_refused(mail):
    with pytest.raises(DynectInvalidArgumentError):
        mail.execute("/senders", "DELETE")


def test_values_travel_as_the_service_reads_them():
    given = {
        "at": dt.datetime(2026, 1, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        "day": dt.date(2026, 1, 2),
        "yes": True,
        "none": None,
        "n": 3,
    }
    assert encoding.fields(given) == {
        "at": "2026-01-01T12:00:00+00:00",
        "day": "2026-01-02",
        "yes": "1",
        "n": "3",
    }
