"""`MMSession`: a session with Message Management."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from sessionkit import secrets
from sessionkit.config import Setting, resolve
from sessionkit.http import Call, HttpEngine, Request, Response
from sessionkit.http.message import with_query
from sessionkit.http.retry import retry_after
from sessionkit.http.signing import Auth
from sessionkit.http.status import describe
from sessionkit.outcome import Done, Failed, Outcome
from sessionkit.secrets import Secret
from sessionkit_dyn.errors import DynectInvalidArgumentError
from sessionkit_dyn.mm.encoding import fields
from sessionkit_dyn.mm.errors import EmailError, EmailUnexpectedError, error_for
from sessionkit_dyn.session import proxy_url, service_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit.clock import Deadline
    from sessionkit.errors import RequestError

_FORM = "application/x-www-form-urlencoded"


class ApiKey(Auth):
    """The API key, which this service wants among the arguments: in a GET's query, in a POST's form."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def sign(self, request: Request, deadline: Deadline) -> None:  # noqa: ARG002 - as its base
        """Add the key."""
        if request.method == "GET":
            request.url = with_query(request.url, {"apikey": self._key.reveal()})
            return
        pair = urlencode({"apikey": self._key.reveal()}).encode()
        request.body = b"&".join(part for part in (request.body, pair) if isinstance(part, bytes) and part)

    def __repr__(self) -> str:
        return "<ApiKey>"


class MMSession(HttpEngine):
    """A session with Message Management. Making it asks nothing.

        MMSession(api_key)
        message.send_message("news@example.test", "kim@example.test", "Hello", body="Good morning.")

        with MMSession(api_key) as mail:
            mail.execute("/senders", "GET")["senders"]

    Args:
        apikey: The account's key, kept as a `Secret`; `$DYN_MM_APIKEY` when not given.
        host: Where the service is, by default `$DYN_MM_HOST` or emailapi.dynect.net; a whole URL also says
            scheme and port.
        port: Its port; `$DYN_MM_PORT` or 443.
        ssl: Whether to use https; `$DYN_MM_SSL` or yes.
        proxy_host: A proxy for this session, instead of the environment's.
        proxy_port: Its port.
        proxy_user: Its user.
        proxy_pass: Its password.
        options: See `HttpEngine`.

    Raises:
        ConfigurationError: an argument that cannot work.
    """

    __metakey__ = "dyn.mm"

    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("apikey", env=("DYN_MM_APIKEY",), secret=True, required=True),
        Setting("host", env=("DYN_MM_HOST",), default="emailapi.dynect.net"),
        Setting("port", env=("DYN_MM_PORT",), default=443),
        Setting("ssl", env=("DYN_MM_SSL",), default=True),
    )

    def __init__(
        self,
        apikey: str | Secret | None = None,
        host: str | None = None,
        port: int | None = None,
        ssl: bool | None = None,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_user: str | None = None,
        proxy_pass: str | None = None,
        **options: Any,
    ) -> None:
        given: dict[str, Any] = {"apikey": apikey, "host": host, "port": port, "ssl": ssl}
        known = {name: value.value for name, value in resolve(self.settings, given).items()}
        proxy = proxy_url(proxy_host, proxy_port, proxy_user, proxy_pass)
        if proxy is not None:
            options["proxies"] = proxy
        super().__init__(
            service_url(known["host"], known["port"], known["ssl"]),
            auth=ApiKey(Secret(known["apikey"])),
            **options,
        )

    def execute(
        self,
        call: Call | str,
        method: str = "GET",
        args: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """Make a call and return the `data` of its answer.

        >>> mail.execute("/suppressions/count", "GET", {"startdate": "2026-01-01"})

        Args:
            call: The URI, with or without "/rest/json", or a `Call`.
            method: "GET" or "POST".
            args: Its arguments: texts, numbers, moments, lists.
            timeout: Seconds for this call instead of the session's `timeout`.

        Raises:
            EmailError: the service refused; each error is also one of `sessionkit.errors`.
            RequestError: no answer came.
        """
        if not isinstance(call, Call):
            name = method.upper()
            if name not in {"GET", "POST"}:
                raise DynectInvalidArgumentError("method", method, ("GET", "POST"))
            call = Call(name, call, args)
        return super().execute(call, timeout=timeout)

    def prepare(self, call: Call) -> Request:
        """A query or a form of the arguments."""
        uri = call.uri if call.uri.startswith("/") else f"/{call.uri}"
        if not uri.startswith("/rest/json"):
            uri = f"/rest/json{uri}"
        args = fields(call.args)
        if call.method == "GET":
            return super().prepare(replace(call, uri=uri, args=args))
        headers = {**(call.headers or {}), "Content-Type": _FORM}
        return super().prepare(replace(call, uri=uri, args=urlencode(args).encode(), headers=headers))

    def process(self, response: Response, call: Call) -> Outcome:
        """The data of a success; for the rest another attempt or the typed error."""
        answer = _envelope(response)
        if answer is None:
            return self._no_envelope(response, call)
        status = answer["status"]
        if status == 200:
            return Done(answer.get("data"))
        kind, hint = error_for(status)
        error = kind(_words(answer, status), hint=hint, **self._details(response, status))
        return self.again_or(error, call, response.attempts) if status in {429, 503} else Failed(error)

    def _no_envelope(self, response: Response, call: Call) -> Outcome:
        kind: type[EmailError] = EmailUnexpectedError
        if response.status >= 400:
            kind, _ = error_for(response.status)
        error: RequestError = kind(
            "no envelope of Message Management came back",
            hint="a proxy or gateway may have answered instead of the service; see the error's body",
            **self._details(response, response.status),
        )
        return self.again_or(error, call, response.attempts) if response.status >= 400 else Failed(error)

    def _details(self, response: Response, status: int) -> dict[str, Any]:
        """What every error of this answer is made with."""
        made: dict[str, Any] = {**describe(response), "code": str(status)}
        if status == 429:
            made["retry_after"] = retry_after(response.headers.get("retry-after"), self.clock.time())
        return made

    def __str__(self) -> str:
        return f"<{type(self).__name__}>"


def _envelope(response: Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    answer = body.get("response") if isinstance(body, dict) else None
    if not isinstance(answer, dict):
        return None
    status = answer.get("status")
    if isinstance(status, str) and status.isdecimal():
        return {**answer, "status": int(status)}
    return answer if isinstance(status, int) else None


def _words(answer: dict[str, Any], status: int) -> str:
    said = answer.get("message")
    return secrets.redact(said) if isinstance(said, str) and said else f"the service answered {status}"
