"""The sandbox as one ASGI application: finds the service, keeps the journal, does the faults."""

from __future__ import annotations

import logging
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Match, Route

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox import faults
from sessionkit.sandbox.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send

    from sessionkit.sandbox.host import Sandbox

_LOGGER = logging.getLogger("sessionkit.sandbox")

#: Requests below it steer the sandbox: they meet no fault and are not in the journal.
CONTROL = "/_sandbox/"


class Application:
    """Routes a request to the service that has a route for it, through the faults that wait for it.

    Args:
        box: The sandbox this serves.
        routes: Every service's routes, with the service's name, in the order they are tried.
    """

    def __init__(self, box: Sandbox, routes: Sequence[tuple[str, BaseRoute]]) -> None:
        self._box = box
        self._routes = routes
        self._control = control_routes(box)
        self._guarded = ExceptionMiddleware(self._dispatch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        if scope["path"].startswith(CONTROL) or scope["path"] == CONTROL[:-1]:
            scope["sandbox.route"] = _find(self._control, scope)[1]
            await self._guarded(scope, receive, send)
            return
        service, scope["sandbox.route"] = _find(self._routes, scope)
        if scope["type"] == "http":
            await self._exchange(service, scope, receive, send)
        else:
            await self._guarded(scope, receive, send)

    async def _exchange(self, service: str, scope: Scope, receive: Receive, send: Send) -> None:
        box, path, method = self._box, scope["path"], scope["method"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        entry = box.journal.open(box.clock.time(), service, method, path, query, headers)

        async def handle(receive: Receive, send: Send) -> None:
            try:
                await self._guarded(scope, receive, send)
            except ClientDisconnect:
                pass  # the client's right
            except Exception:
                entry.error = traceback.format_exc()
                _LOGGER.exception("%s failed at %s %s", service, method, path)
                if entry.status is None:
                    await JSONResponse({"error": entry.error}, 500)(scope, receive, send)

        exchange = Exchange(scope, receive, send, handle, partial(box.transport, scope), box.leaving, entry)
        met = box.faults.take(service, path, method)
        for fault in met:
            await faults.do(fault, exchange)
        if all(fault.kind == "latency" for fault in met):
            await exchange.forward()

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        route: BaseRoute | None = scope["sandbox.route"]
        if route is not None:
            await route.handle(scope, receive, send)
        elif scope["type"] == "http":
            names = sorted(service.name for service in self._box.services)
            answer = {"error": f"no service of this sandbox has the path {scope['path']}", "services": names}
            await JSONResponse(answer, 404)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})


def _find(routes: Sequence[tuple[str, BaseRoute]], scope: Scope) -> tuple[str, BaseRoute | None]:
    """The route of a request (a wrong method is answered by the route itself), its child scope applied."""
    partial: tuple[str, BaseRoute | None, Mapping[str, Any]] = ("", None, {})
    for name, route in routes:
        match, child = route.matches(scope)
        if match is Match.FULL:
            scope.update(child)
            return name, route
        if match is Match.PARTIAL and partial[1] is None:
            partial = (name, route, child)
    scope.update(partial[2])
    return partial[0], partial[1]


def control_routes(box: Sandbox) -> list[tuple[str, BaseRoute]]:
    """The sandbox's own endpoints: health, the journal and the faults."""

    async def health(_: Request) -> JSONResponse:
        names = [service.name for service in box.services]
        return JSONResponse({"sandbox": "sessionkit", "url": box.url, "services": names, "env": box.env})

    async def requests(request: Request) -> JSONResponse:
        if request.method == "DELETE":
            box.journal.clear()
        query = request.query_params
        found = box.journal.find(query.get("service"), query.get("path"))
        return JSONResponse([entry.public() for entry in found])

    async def waiting(request: Request) -> JSONResponse:
        if request.method == "DELETE":
            box.faults.clear()
        if request.method == "POST":
            try:
                _add_faults(box, await request.json())
            except ValueError as error:  # ConfigurationError is one, and so is a body that is no JSON
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse([fault.public() for fault in box.faults.waiting()])

    return [
        ("", Route("/_sandbox", health)),
        ("", Route(CONTROL, health)),
        ("", Route(f"{CONTROL}requests", requests, methods=["GET", "DELETE"])),
        ("", Route(f"{CONTROL}faults", waiting, methods=["GET", "POST", "DELETE"])),
    ]


def _add_faults(box: Sandbox, content: Any) -> None:
    for data in content if isinstance(content, list) else [content]:
        add_fault(box, faults.parse_fault(data))


def add_fault(box: Sandbox, fault: faults.Fault) -> None:
    """Let a fault wait for its request or, when it is a service's own kind, hand it to the service.

    Raises:
        ConfigurationError: for a kind, an option or a service that does not exist.
    """
    names = [service.name for service in box.services]
    if fault.service is not None and fault.service not in names:
        raise ConfigurationError(
            f"there is no service {fault.service!r}", hint=f"services: {', '.join(names)}"
        )
    if fault.kind not in faults.KINDS:
        filters = {"path": fault.path, "method": fault.method, "times": fault.times, "after": fault.after}
        usual = {"path": None, "method": None, "times": 1, "after": 0}
        options = {key: filters[key] for key in filters if filters[key] != usual[key]} | fault.options
        asked = [service for service in box.services if fault.service in {None, service.name}]
        taken = [service.fault(fault.kind, options) for service in asked]
        if any(taken):
            return
    box.faults.add(fault)
