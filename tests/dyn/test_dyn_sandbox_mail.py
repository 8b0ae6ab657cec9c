import http.client
import json
from urllib.parse import urlencode, urlsplit

import pytest

NEWS = "news@shop.example"


@pytest.fixture
def mail(sandbox):
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)

    def ask(method, path, expect=200, **args):
        query = urlencode({"apikey": sandbox.env["DYN_MM_APIKEY"], **args})
        url, body = (f"/rest/json{path}?{query}", b"{}") if method == "GET" else (f"/rest/json{path}", query)
        connection.request(method, url, body, {"Content-Type": "application/x-www-form-urlencoded"})
        with connection.getresponse() as response:
            answer = json.loads(response.read())["response"]
            assert response.status == answer["status"] == expect, answer
            return answer["data"]

    yield ask
    connection.close()


def test_senders(mail):
    assert [each["emailaddress"] for each in mail("GET", "/senders")["senders"]] == [
        NEWS,
        "orders@shop.example",
    ]
    mail("POST", "/senders", emailaddress="new@shop.example")
    mail("POST", "/senders", expect=453, emailaddress="new@shop.example")
    mail("POST", "/senders", emailaddress="new@shop.example", seeding="1")
    assert mail("GET", "/senders/details", emailaddress="new@shop.example")["seeding"] == 1
    assert mail("GET", "/senders/status", emailaddress="new@shop.example") == {"ready": 1}
    assert mail("POST", "/senders/dkim", emailaddress="new@shop.example", dkim="key1")["dkimrecord"]
    mail("POST", "/senders/delete", emailaddress="new@shop.example")
    mail("POST", "/senders/delete", expect=404, emailaddress="new@shop.example")


def test_sending_and_what_becomes_of_it(mail):
    message = {"from": f"News <{NEWS}>", "subject": "Hello", "bodytext": "text"}
    mail("POST", "/send", to="kim@customer.example", **message)
    mail("POST", "/send", to="['kim@customer.example', 'gone@customer.example']", **message)
    assert len(mail("GET", "/reports/sent")["sent"]) == 3
    assert mail("GET", "/reports/delivered/count/") == {"count": 2}
    assert mail("GET", "/reports/issues/count", recipient="gone@customer.example") == {"count": 1}
    assert mail("GET", "/reports/sent/count", sender="somebody@else.example") == {"count": 0}
    day = {"starttime": "2026-01-01T00:00:00+00:00", "endtime": "2026-01-02T00:00:00+00:00"}
    assert mail("GET", "/reports/sent/count", **day) == {"count": 3}
    assert mail("GET", "/reports/sent/count", starttime="2026-01-02") == {"count": 0}
    assert mail("GET", "/reports/opens/count/unique") == {"count": 0}


@pytest.mark.parametrize("lacking", ["from", "to", "subject", "bodytext"])
def test_a_message_lacks_something(mail, lacking):
    message = {"from": NEWS, "to": "kim@customer.example", "subject": "Hello", "bodytext": "text"}
    del message[lacking]
    mail("POST", "/send", expect=452, **message)


def test_only_approved_senders_send(mail):
    mail(
        "POST",
        "/send",
        expect=452,
        **{"from": "me@else.example"},
        to="k@c.example",
        subject="x",
        bodytext="x",
    )


def test_suppressions_and_recipients(mail):
    assert mail("GET", "/suppressions/count") == {"count": 1}
    mail("POST", "/suppressions", emailaddress="kim@customer.example")
    status = mail("GET", "/recipients/status", emailaddress="kim@customer.example,lou@customer.example")
    assert [each["status"] for each in status["recipients"]] == ["inactive", "active"]
    mail("POST", "/recipients/activate", emailaddress="kim@customer.example")
    assert [each["emailaddress"] for each in mail("GET", "/suppressions")["suppressions"]] == [
        "gone@customer.example"
    ]
    assert mail("GET", "/suppressions", startindex=1)["suppressions"] == []
    mail("GET", "/suppressions", expect=452, startindex="first")


def test_accounts_and_their_headers(mail):
    args = {"username": "two@shop.example", "password": "x", "companyname": "Two", "phone": "1"}
    key = mail("POST", "/accounts", **args)["apikey"]
    mail("POST", "/accounts", expect=453, **args)
    mail("POST", "/accounts", expect=452, username="three@shop.example")
    assert mail("GET", "/senders", apikey=key) == {"senders": []}
    assert len(mail("GET", "/accounts")["accounts"]) == 2
    mail("POST", "/accounts/delete", username="two@shop.example")
    mail("GET", "/senders", expect=451, apikey=key)
    mail("POST", "/accounts/xheaders", xheader1="x-campaign")
    assert mail("GET", "/accounts/xheaders")["xheader1"] == "x-campaign"


def test_wrong_keys_and_paths(mail):
    mail("GET", "/senders", expect=451, apikey="nobody")
    mail("GET", "/nonsense", expect=404)
    mail("GET", "/reports/sent/unique", expect=404)
    mail("POST", "/senders", expect=452, emailaddress="no address")
