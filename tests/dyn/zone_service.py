"""Managed DNS as `zone_model` meets it: the sandbox's own, without sockets, with misfortunes and a log."""

import json
import sqlite3
from types import SimpleNamespace
from urllib.parse import urlsplit

from starlette.requests import Request

from sessionkit.errors import CallTimeout, ConnectionFailed
from sessionkit.http import Response
from sessionkit_dyn.sandbox import DynService

ZONE = "bet.test"
DATA = {
    "limits": {"requests_per_minute": 0},
    "customers": {
        "acme": {
            "users": {"ann": {"password": "ann-secret"}, "bob": {"password": "bob-secret"}},
            "zones": {ZONE: {"contact": f"ann@{ZONE}", "ttl": 600, "serial": 5, "records": []}},
        }
    },
}
for _number in (1, 2, 3):
    DATA["customers"]["acme"]["zones"][ZONE]["records"].append(
        {"fqdn": f"www.{ZONE}", "type": "A", "ttl": 300, "rdata": {"address": f"192.0.2.{_number}"}}
    )

#: What a gateway answers instead of the service, before it was asked and after.
GATEWAY = {"503": 503, "502 after": 502}


class Effect:
    """Something that a request has changed.

    `kind` is "stage" (waits to be published), "publish" or "discard"; `settled` the publish or discard after
    which it waits no more; `again` whether the same has been done again.
    """

    def __init__(self, number, op, token, kind, said):
        self.number, self.op, self.token, self.kind, self.said = number, op, token, kind, said
        self.settled = None
        self.again = False


class Service:
    def __init__(self, world):
        self.world = world
        self.db = sqlite3.connect(":memory:", check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        host = SimpleNamespace(db=self.db, clock=world.clock, url="http://dyn.test", data_folder=None)
        self.dyn = DynService(host)
        self.dyn.setup()
        self.dyn.load(DATA, replace=False)
        self.api = self.dyn._api
        self.plans, self.effects = [], []
        self.refused, self.signed_in, self.lost_tokens = set(), 0, set()

    def rows(self, query, *values):
        return [dict(row) for row in self.db.execute(query, values)]

    def alive(self, token):
        return bool(self.rows("SELECT 1 FROM dyn_session WHERE token = ? AND state = 'active'", token))

    def published(self):
        return {
            json.loads(row["rdata"])["address"]
            for row in self.rows("SELECT rdata FROM dyn_record WHERE type = 'A'")
        }

    @property
    def op(self):
        """Whose request it is."""
        task = self.world.turns.running
        return self.world.ops.get(task.name) if task is not None else None

    def serial(self):
        return self.rows("SELECT serial FROM dyn_zone WHERE zone = ?", ZONE)[0]["serial"]

    # From a session's request to its answer

    def carry(self, request, deadline):
        """What the transport does: send, wait for the answer, at most until `deadline`."""
        turns = self.world.turns
        turns.point()
        plan = self.plans.pop(0) if self.plans else "good"
        if deadline.remaining() <= 0 or plan == "slow before":
            turns.wait(None, max(0.0, deadline.remaining()))
            raise self.failed(CallTimeout, request, sent=True)
        if plan in {"refused", "cut before"}:
            raise self.failed(ConnectionFailed, request, sent=plan != "refused")
        if plan == "503":
            return Response(503, {}, b"<html>", request.url, request)
        if plan == "throttle":
            return Response(429, {"retry-after": "3"}, b"slow down", request.url, request)
        response = self.respond(request)
        turns.point()
        if plan in {"cut after", "502 after", "slow after"} and request.url.endswith("/Session/"):
            self.lost_tokens.add(self.envelope(response.body)["data"].get("token"))
        if plan == "cut after":
            raise self.failed(ConnectionFailed, request, sent=True)
        if plan == "502 after":
            return Response(502, {}, b"<html>", request.url, request)
        if plan == "slow after":
            turns.wait(None, max(0.0, deadline.remaining()))
            raise self.failed(CallTimeout, request, sent=True)
        return response

    def failed(self, kind, request, *, sent):
        return kind("no answer", method=request.method, url=request.url, sent=sent)

    def respond(self, request):
        token, path = request.headers.get("auth-token", ""), urlsplit(request.url).path
        before = self.changes(token)
        if path == f"/REST/ZoneChanges/{ZONE}/" and self.op is not None:
            self.op.looked = next(self.world.moments)
        status, headers, body = self.ask(request.method, path, request.headers.to_dict(), request.body or b"")
        envelope = self.envelope(body)
        infos = " ".join(message["INFO"] for message in envelope.get("msgs") or ())
        if "login: " in infos and token:
            self.refused.add(token)
        if path == "/REST/Session/" and request.method == "POST" and envelope["status"] == "success":
            self.signed_in += 1
        changes = request.method != "GET" and path != "/REST/Session/"
        if changes and self.succeeded(envelope):
            self.note(request.method, path, request.body, token, before != self.changes(token))
        return Response(status, headers, body, request.url, request)

    def envelope(self, body):
        answer = json.loads(body)
        return answer[0] if isinstance(answer, list) else answer

    def ask(self, method, path, headers, body):
        async def receive():
            return {"type": "http.request", "body": body}

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("dyn.test", 80),
            "scheme": "http",
        }
        try:
            self.api.answer(Request(scope, receive)).send(None)
        except StopIteration as done:
            answer = done.value
        return answer.status_code, dict(answer.headers), answer.body

    def changes(self, token):
        return self.rows("SELECT * FROM dyn_change WHERE token = ?", token)

    def succeeded(self, envelope):
        """Whether a call was carried out, be it that its answer is to be asked for."""
        if envelope["status"] == "incomplete":
            kept = self.rows("SELECT answer FROM dyn_job WHERE job_id = ?", envelope["job_id"])
            envelope = json.loads(kept[0]["answer"])
        return envelope["status"] == "success"

    def note(self, method, path, body, token, staged):
        """Remember what a request has changed, and what waits no more by it."""
        publishes = method == "PUT" and path == f"/REST/Zone/{ZONE}/"
        discards = method == "DELETE" and path == f"/REST/ZoneChanges/{ZONE}/"
        kind = "publish" if publishes else "discard" if discards else "stage"
        said = (method, path, json.dumps(json.loads(body or b"{}")))
        effect = Effect(next(self.world.moments), self.op, token, kind, said)
        for earlier in self.effects:
            if kind == "stage":
                earlier.again |= earlier.said == said
            elif earlier.settled is None:
                given_up = discards and earlier.op.family is effect.op.family
                earlier.settled = effect if earlier.token == token or given_up else None
        if staged or kind != "stage":
            self.effects.append(effect)
