"""Managed DNS by hand: what goes over the wire, and what comes back."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

# What the vendor's code of 2018 does that today's Python warns of, each by its own words.
VENDOR_WARNINGS = [
    pytest.mark.filterwarnings('ignore:"is" with .* literal:SyntaxWarning'),
    pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:invalid escape sequence:SyntaxWarning"),
    pytest.mark.filterwarnings("ignore:'locale.getdefaultlocale' is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning"),
]


class Wire:
    """One connection, signed in or not."""

    def __init__(self, box, customer="acme", user="ann", password="sandbox-ann"):
        self._connection = http.client.HTTPConnection(urlsplit(box.url).netloc, timeout=10)
        self.headers = {"Content-Type": "application/json", "API-Version": "current"}
        self.location = None
        if customer:
            self.sign_in(customer, user, password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def sign_in(self, customer="acme", user="ann", password="sandbox-ann"):
        self.headers.pop("Auth-Token", None)
        args = {"customer_name": customer, "user_name": user, "password": password}
        answer = self("POST", "/Session/", args)[1]
        self.headers["Auth-Token"] = answer["data"]["token"]
        return answer

    def raw(self, method, path, body=b""):
        self._connection.request(method, path, body, self.headers)
        with self._connection.getresponse() as response:
            self.location = response.headers["Location"]
            return response.status, response.read()

    def __call__(self, method, path, args=None):
        """(HTTP status, envelope)."""
        status, body = self.raw(method, f"/REST{path}", json.dumps(args or {}).encode())
        return status, json.loads(body)

    def data(self, method, path, args=None):
        """The data of a call that must succeed."""
        status, envelope = self(method, path, args)
        assert envelope["status"] == "success", envelope
        assert status == 200
        return envelope["data"]

    def refused(self, method, path, args=None):
        """(HTTP status, [(code, info), ...]) of a call that must not succeed."""
        status, envelope = self(method, path, args)
        assert envelope["status"] == "failure", envelope
        assert envelope["data"] == {}
        return status, [(message["ERR_CD"], message["INFO"]) for message in envelope["msgs"]]

    def said(self, method, path, args=None):
        """The remarks of a call that must succeed."""
        status, envelope = self(method, path, args)
        assert (status, envelope["status"]) == (200, "success"), envelope
        return [message["INFO"] for message in envelope["msgs"]]
