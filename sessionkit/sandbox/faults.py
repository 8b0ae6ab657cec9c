"""What can go wrong between a client and a service, done on purpose.

    sandbox.fault("throttle", service="dyn", path="/REST/Zone/*", times=3, retry_after="2")
    sandbox.fault("reset", method="POST")                   # the next POST finds its connection broken

A fault is matched by service, path pattern and method, skips its first `after` matches and is used up
after `times` of them (null or None: never). `latency` is added to whatever else happens; of the others
the oldest that matches is done.

| kind | what the client meets | options (default) |
|---|---|---|
| latency | the answer, late | seconds (0.2) |
| status | another status | status (500), body (""), content_type, headers |
| throttle | "slow down" | retry_after ("1", any text; null sends none), status (429), body, headers |
| html | a gateway's page | status (502), body |
| body | a wrong body | body (""), status (200), content_type ("application/json") |
| reset | RST before the service sees the request | |
| lost_reply | RST after the service did the work | |
| truncate | a part of the answer, then the end | bytes (half) |
| stall | a part of the answer, then nothing | bytes (half) |
| silent | nothing, for ever | |
| hang_up | the answer, and then an unannounced close | |
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sessionkit.sandbox.exchange import Exchange

_GATEWAY_PAGE = (
    "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    "<body><h1>Bad Gateway</h1><p>The proxy got an invalid answer from upstream.</p></body></html>"
)


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong; see the module's text for the kinds and their options.

    Attributes:
        kind: What goes wrong.
        service: Only for this service's requests.
        path: Only for paths of this pattern (`*` and `?` as in a shell).
        method: Only for this method.
        times: How many requests are still to meet it; None is every one.
        after: How many matching requests are still spared.
        options: The kind's own options.
    """

    kind: str
    service: str | None = None
    path: str | None = None
    method: str | None = None
    times: int | None = 1
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def meets(self, service: str, path: str, method: str) -> bool:
        """Whether this request is one of those meant; counts it."""
        if self.times == 0 or not self._matches(service, path, method):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def _matches(self, service: str, path: str, method: str) -> bool:
        return (
            (self.service is None or self.service == service)
            and (self.method is None or self.method.upper() == method)
            and (self.path is None or fnmatchcase(path, self.path))
        )

    def public(self) -> dict[str, Any]:
        """The form of `GET /_sandbox/faults`."""
        fixed = {"kind": self.kind, "service": self.service, "path": self.path, "method": self.method}
        return {**fixed, "times": self.times, "after": self.after, **self.options}


class Faults:
    """The faults that are waiting for their request."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault wait for its requests.

        Raises:
            ConfigurationError: for a kind or an option that does not exist.
        """
        _check_options(fault)
        self._waiting.append(fault)

    def take(self, service: str, path: str, method: str) -> list[Fault]:
        """What this request meets: every latency that matches, then at most one other fault."""
        met: list[Fault] = []
        ending = False
        for fault in self._waiting:
            additive = fault.kind == "latency"
            if (additive or not ending) and fault.meets(service, path, method):
                met.append(fault)
                ending = ending or not additive
        self._waiting = [fault for fault in self._waiting if fault.times != 0]
        return sorted(met, key=lambda fault: fault.kind != "latency")

    def waiting(self) -> list[Fault]:
        """The faults that still have something to do."""
        return list(self._waiting)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._waiting.clear()


def parse_fault(data: Any) -> Fault:
    """The fault that a mapping of a file, or of `POST /_sandbox/faults`, describes.

    Raises:
        ConfigurationError: when it is no mapping, has no kind, or a field has the wrong type.
    """
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise ConfigurationError(
            f"a fault is a mapping with a `kind`, not {data!r}",
            hint="for example {kind: latency, seconds: 0.5, path: '/REST/*'}",
        )
    options = {str(key): value for key, value in data.items()}
    kind = options.pop("kind")
    filters = {key: _optional(options.pop(key, None), str, key) for key in ("service", "path", "method")}
    times = _optional(options.pop("times", 1), int, "times")
    after = _optional(options.pop("after", 0), int, "after") or 0
    return Fault(kind, **filters, times=times, after=after, options=options)


def _optional(value: Any, kind: type, name: str) -> Any:
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise ConfigurationError(f"`{name}` of a fault is a {kind.__name__}, not {value!r}")


async def _latency(exchange: Exchange, *, seconds: float = 0.2) -> None:
    await exchange.pause(seconds)


async def _status(
    exchange: Exchange,
    *,
    status: int = 500,
    body: Any = "",
    content_type: str = "text/plain",
    headers: Mapping[str, str] | None = None,
) -> None:
    raw, guessed = _encode(body, content_type)
    await exchange.reply(status, raw, {"content-type": guessed, **(headers or {})})


async def _throttle(
    exchange: Exchange,
    *,
    retry_after: str | float | None = "1",
    status: int = 429,
    body: Any = "Too many requests",
    headers: Mapping[str, str] | None = None,
) -> None:
    wait = {} if retry_after is None else {"retry-after": str(retry_after)}
    await _status(exchange, status=status, body=body, headers={**wait, **(headers or {})})


async def _html(exchange: Exchange, *, status: int = 502, body: str = _GATEWAY_PAGE) -> None:
    await _status(exchange, status=status, body=body, content_type="text/html")


async def _body(
    exchange: Exchange, *, body: Any = "", status: int = 200, content_type: str = "application/json"
) -> None:
    await _status(exchange, status=status, body=body, content_type=content_type)


async def _reset(exchange: Exchange) -> None:
    await exchange.read()
    exchange.reset()
    await exchange.hold()


async def _lost_reply(exchange: Exchange) -> None:
    await exchange.answer()
    exchange.reset()
    await exchange.hold()


async def _partial(exchange: Exchange, count: int | None) -> None:
    start, body = await exchange.answer()
    if not start:
        return  # the client went away before the service had its whole request
    await exchange.send(start)
    part = body[: len(body) // 2 if count is None else count]
    await exchange.send({"type": "http.response.body", "body": part, "more_body": True})


async def _truncate(exchange: Exchange, *, bytes: int | None = None) -> None:  # noqa: A002 - the option's name
    await _partial(exchange, bytes)
    exchange.hang_up()
    await exchange.hold()


async def _stall(exchange: Exchange, *, bytes: int | None = None) -> None:  # noqa: A002 - the option's name
    await _partial(exchange, bytes)
    await exchange.hold()


async def _silent(exchange: Exchange) -> None:
    await exchange.hold()


async def _hang_up(exchange: Exchange) -> None:
    await exchange.forward()
    exchange.hang_up()


_KINDS: dict[str, Callable[..., Awaitable[None]]] = {
    "latency": _latency,
    "status": _status,
    "throttle": _throttle,
    "html": _html,
    "body": _body,
    "reset": _reset,
    "lost_reply": _lost_reply,
    "truncate": _truncate,
    "stall": _stall,
    "silent": _silent,
    "hang_up": _hang_up,
}

#: The kinds every service can be asked for.
KINDS = tuple(_KINDS)


async def do(fault: Fault, exchange: Exchange) -> None:
    """Do a fault to a request."""
    exchange.entry.faults.append(fault.kind)
    await _KINDS[fault.kind](exchange, **fault.options)


def _check_options(fault: Fault) -> None:
    action = _KINDS.get(fault.kind)
    if action is None:
        raise ConfigurationError(
            f"there is no fault of kind {fault.kind!r}",
            hint=f"kinds are {', '.join(KINDS)}, and each service's own",
        )
    known = set(action.__kwdefaults__ or {})
    unknown = sorted(set(fault.options) - known)
    if unknown:
        raise ConfigurationError(
            f"a fault of kind {fault.kind!r} has no option {unknown[0]!r}",
            hint=f"its options are {', '.join(sorted(known))}" if known else "it has none",
        )


def _encode(body: Any, content_type: str) -> tuple[bytes, str]:
    """A body's bytes and type: text as it is, anything else as JSON."""
    if isinstance(body, bytes):
        return body, content_type
    if isinstance(body, str):
        return body.encode(), content_type
    return json.dumps(body).encode(), "application/json"
