"""Managed DNS over HTTP: from a request, through the gate that every call passes, to its handler."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from sessionkit_dyn.record_types import RECORD_TYPES
from sessionkit_dyn.sandbox import dsf, jobs, parts, records, reports, sessions, tasks, things, zones
from sessionkit_dyn.sandbox.call import Call, Handler, Routes, plain_name
from sessionkit_dyn.sandbox.envelope import Answer, Refusal, not_found, refuse
from sessionkit_dyn.sandbox.kinds import KINDS
from sessionkit_dyn.sandbox.sessions import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from sessionkit.sandbox import Host

HANDLERS: Routes = {
    resource: methods
    for module in (sessions, jobs, zones, records, tasks, reports, things, parts, dsf)
    for resource, methods in module.routes().items()
}

#: What is asked of other servers before the call's transaction begins.
_BEFORE: dict[tuple[str, str], Callable[[Call], Awaitable[None]]] = {
    ("ZoneTransfer", "POST"): zones.fetch,
    ("ZoneTransfer", "PUT"): zones.fetch,
}

#: Resources whose changes a zone refuses while it is frozen or a task works on it.
_EDITING = frozenset(
    {"Node", "ZoneTransfer"}
    | {kind.resource for kind in RECORD_TYPES.values()}
    | {kind.name for kind in KINDS if kind.in_zone}
    | {part.name for part in parts.PARTS if part.owner in {"AdvRedirect", "GSLB", "RTTM"}}
)


class DynApi:
    """Answers `/REST/...`.

    Attributes:
        limits: What an account may do; data files set it.
        plans: Calls that shall become jobs.
        busy: How many calls shall meet "This session already has a job running".
        arrays: How many refusals shall come wrapped in an array.
        limited: How many calls shall meet the rate limit.
    """

    def __init__(self, host: Host) -> None:
        self.limits = Limits()
        self.plans: list[jobs.Plan] = []
        self.busy = 0
        self.arrays = 0
        self.limited = 0
        self._host = host
        self._job_id = 0
        self._recent: dict[str, deque[float]] = {}

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        body = await request.body()
        call = self._call(request)
        try:
            answer = await self._answer(call, request, body)
        except Refusal as refusal:
            answer = refusal.answer
        return self._respond(answer)

    def _call(self, request: Request) -> Call:
        path = request.url.path.removeprefix("/REST")
        resource, *rest = [part.removesuffix(".") for part in path.split("/") if part] or [""]
        client = request.client
        return Call(
            self._host.db,
            self._host.clock,
            request.method,
            resource,
            rest,
            ip=client.host if client else "",
            token=request.headers.get("auth-token", ""),
        )

    async def _answer(self, call: Call, request: Request, body: bytes) -> Answer:
        handler = self._handler(call, request.headers.get("api-version", "current"))
        call.args = {**dict(request.query_params), **_arguments(body)}
        try:
            self._gate(call)
        finally:
            call.db.commit()  # what the gate noted stays, also when it refuses
        before = _BEFORE.get((call.resource, call.method))
        if before is not None:
            await before(call)
        plan = self._plan(call, request.url.path)
        if plan is None:
            with call.db:
                return handler(call)
        try:
            with call.db:
                answer = handler(call)
        except Refusal as refusal:
            answer = refusal.answer
        with call.db:
            return jobs.begin(call, self._next_job(), answer, plan)

    def _handler(self, call: Call, version: str) -> Handler:
        if version != "current" and not all(number.isdigit() for number in version.split(".")):
            raise refuse("INVALID_VERSION", f"version: No such API version {version}", source="API-A")
        methods = HANDLERS.get(call.resource)
        if methods is None:
            raise not_found(f"resource: No such resource {call.resource!r}", source="API-A")
        handler = methods.get(call.method)
        if handler is None:
            raise refuse(
                "INVALID_REQUEST",
                f"method: {call.method} is not allowed for {call.resource}",
                source="API-A",
                http=405,
            )
        return handler

    def _gate(self, call: Call) -> None:
        """Who calls, how often, and whether a job or a task is in the way."""
        if (call.resource, call.method) == ("Session", "POST"):
            self._check_rate(str(call.args.get("customer_name", "")), call)
            return
        sessions.identify(call, self.limits)
        self._check_rate(call.customer, call)
        if call.resource == "Job":
            return
        self._check_running(call)
        _check_permission(call)
        if call.method != "GET" and call.part(0):
            _check_zone(call)

    def _check_rate(self, customer: str, call: Call) -> None:
        """Not more than so many requests of an account in any 60 s; refused ones do not count."""
        now = call.clock.time()
        recent = self._recent.setdefault(customer, deque())
        while recent and recent[0] <= now - 60:
            recent.popleft()
        most = self.limits.requests_per_minute
        if self.limited or (most and len(recent) >= most):
            self.limited = max(0, self.limited - 1)
            raise refuse(
                "RATE_LIMIT_EXCEEDED", "rate: Rate limit exceeded, try again later", source="API-A", http=429
            )
        recent.append(now)

    def _check_running(self, call: Call) -> None:
        job_id = jobs.running(call)
        if job_id is None and self.busy:
            self.busy -= 1
            job_id = self._next_job()
            jobs.begin(call, job_id, sessions.check(call), jobs.Plan(polls=0))
        if job_id is not None:
            raise jobs.busy(job_id)

    def _plan(self, call: Call, path: str) -> jobs.Plan | None:
        if call.resource in {"Session", "Job"}:
            return None
        plan = next((plan for plan in self.plans if plan.takes(call.method, path)), None)
        self.plans = [plan for plan in self.plans if plan.times != 0]
        return plan

    def _next_job(self) -> int:
        """Ten digits and growing, also over restarts."""
        if not self._job_id:
            self._job_id = max(int(self._host.clock.time()), jobs.latest(self._host.db))
        self._job_id += 1
        return self._job_id

    def _respond(self, answer: Answer) -> Response:
        envelope: Any = answer.public(answer.job_id or self._next_job())
        if answer.status == "failure" and self.arrays:
            self.arrays -= 1
            envelope = [envelope]
        headers = {"location": answer.location} if answer.location else {}
        return Response(json.dumps(envelope), answer.http, headers, "application/json")


def _arguments(body: bytes) -> dict[str, Any]:
    """A body's arguments; an empty body has none."""
    if not body.strip():
        return {}
    try:
        args = json.loads(body)
    except ValueError as error:
        raise refuse("INVALID_REQUEST", "json: The body is not JSON", source="API-A") from error
    except RecursionError as error:
        raise refuse("INVALID_REQUEST", "json: The body is nested too deeply", source="API-A") from error
    if args is None:
        return {}
    if not isinstance(args, dict):
        raise refuse("INVALID_REQUEST", "json: The body is not a hash", source="API-A")
    return args


def _check_permission(call: Call) -> None:
    is_record = call.resource.endswith("Record")
    permission = reports.PERMISSION_FOR.get((call.method, "Record" if is_record else call.resource))
    if permission is not None and permission not in reports.granted(call, call.user):
        raise refuse(
            "PERMISSION_DENIED", f"permission: You do not have the permission {permission}", source="API-B"
        )


def _check_zone(call: Call) -> None:
    """A change of a zone meets tasks that block it, and its being frozen."""
    zone = plain_name(call.part(0))
    if call.resource in _EDITING or call.resource == "Zone":
        tasks.check_unblocked(call, zone)
    if call.resource in _EDITING:
        frozen = call.db.execute("SELECT 1 FROM dyn_zone WHERE zone = ? AND frozen", [zone]).fetchone()
        if frozen is not None:
            raise refuse("ILLEGAL_OPERATION", "zone: Your zone is frozen", "update: Thaw the zone to edit it")
