"""The three steps for Managed DNS: how a call is asked, and what its answer means."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urljoin, urlsplit

from sessionkit.errors import CallTimeout, RequestError, UnexpectedResponse
from sessionkit.http import Call, HttpEngine, Request, Response
from sessionkit.http.message import Headers, Origin, encode, redacted_url
from sessionkit.http.retry import retry_after
from sessionkit.outcome import Again, Done, Failed, Outcome, Renew
from sessionkit_dyn import calls, envelope, errors
from sessionkit_dyn.calls import DynectRequest
from sessionkit_dyn.changeset import publishes, target
from sessionkit_dyn.login import DynectLogin
from sessionkit_dyn.waiting import Progress, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeGuard

    from sessionkit.clock import Deadline
    from sessionkit.outcome import Attempt
    from sessionkit.tokens import Token


_BODIES: Final = frozenset({"POST", "PUT"})


class DynectProtocol(HttpEngine):
    """What a session with Managed DNS says and understands.

    A call may become a job (307, or status "incomplete"), be refused because another job of the session
    runs ("running"), because a task holds the zone, or because the account asked too often; all of these
    are waited for within the call's deadline.
    """

    max_redirects: ClassVar[int] = 0  # a redirect of this service is a job to wait for

    progress: Callable[[Progress], None] | None = None

    @property
    def login(self) -> DynectLogin:
        """Who is signed in."""
        assert isinstance(self._auth, DynectLogin)
        return self._auth

    def prepare(self, call: Call) -> Request:
        """Normalise the URI and write the arguments as JSON, for every method.

        A GET or DELETE without arguments goes without a body, in one packet.
        """
        if call.uri.startswith(("http://", "https://")):
            return super().prepare(call)
        if not isinstance(call.args, (dict, NoneType)):
            return super().prepare(replace(call, uri=calls.rest_path(call.uri)))
        headers = Headers(self._headers)
        if call.headers:
            headers.update(call.headers)
        url = f"{self.base_url}{calls.rest_path(call.uri)}"
        body = encode(call.args or {}) if call.args or call.method in _BODIES else None
        return DynectRequest(call.method, url, headers, body, stream=call.stream, signed=call.signed)

    def sign(self, request: Request, deadline: Deadline) -> Request:
        """Sign; notice that the token is another one, and do not publish what is no longer there."""
        signed = super().sign(request, deadline)
        changeset = self.login.changeset
        if signed.token is not changeset.token and signed.token is not None:
            self._tell_lost(changeset.signed_with(signed.token))
        if isinstance(signed, DynectRequest):
            signed.accepted = changeset.accepted
        if changeset.has_lost:
            self._check_publish(signed)
        return signed

    def process(self, response: Response, call: Call) -> Outcome:
        """The envelope of a success; for the rest a wait, a renewal or the typed error."""
        if call.stream:
            return super().process(response, call)
        answer = envelope.decode(response)
        if response.status == 307 or (answer is not None and answer["status"] == "incomplete"):
            outcome = self._job(response, call, answer)
        elif answer is None:
            outcome = self._no_envelope(response, call)
        elif answer["status"] == "success":
            outcome = self._success(response, call, answer)
        else:
            outcome = self._refusal(response, call, answer)
        return self._of_publication(outcome, call, response.request)

    def recover(self, error: RequestError, call: Call, request: Any, attempts: Sequence[Attempt]) -> Outcome:
        """After a lost connection repeat what cannot be done twice by it: readings, not additions."""
        if isinstance(error, errors.DynectError):
            return Failed(error)
        if isinstance(request, Request) and calls.is_poll(request.url):
            if isinstance(error, CallTimeout):
                return Failed(self._still_running(call, request.url, error.message))
            error.sent = True  # the call was, and has become a job
        outcome = super().recover(error, _as_asked(request, call), request, attempts)
        return self._of_publication(outcome, call, request)

    def on_again(self, again: Again, call: Call) -> None:
        """Tell the hub and `progress` what is being waited for."""
        super().on_again(again, call)
        if isinstance(again, Waiting):
            told = Progress(again.what, str(call), again.number, again.elapsed, again.delay)
            self._announce(f"dyn.{again.what}.waiting", **told._asdict())
            if self.progress is not None:
                self.progress(told)

    # --- what answers mean ---

    def _success(self, response: Response, call: Call, answer: dict[str, Any]) -> Outcome:
        answer.setdefault("data", {})
        answer.setdefault("msgs", [])
        answer.setdefault("job_id", None)
        asked = _answered(response.request)
        if _is_look(asked):
            return self._looked(call, answer, asked)
        return self._done(call, answer, asked)

    def _done(self, call: Call, answer: dict[str, Any], asked: Request) -> Outcome:
        if call.method != "GET":
            self.carried_out(call, asked.token, getattr(asked, "accepted", None))
        return Done(answer)

    def carried_out(self, call: Call, token: Token | None, accepted: int | None = None) -> None:
        """Note what a call has changed, by the answer to it or, when that was lost, by a look at the zone."""
        if self.login.changeset.succeeded(call, token, accepted):
            self._tell_lost([call])

    def _refusal(self, response: Response, call: Call, answer: dict[str, Any]) -> Outcome:
        asked = response.request
        said = envelope.messages(answer)
        attempts = response.attempts
        error = envelope.failure(response, call, answer, said)
        if envelope.token_refused(said, response.status) and asked.token is not None:
            # A token that is no good needs no logging out.
            signing_out = call.method == "DELETE" and target(call)[0] == "Session"
            return Done(answer) if signing_out else Renew(error)
        if error.code == "NOT_FOUND":
            if _orphaned(asked):
                return self._job_gone(response, call, error)
            if _answered(asked).method == "DELETE" and any(attempt.in_doubt for attempt in attempts):
                # An earlier attempt, of which nothing was heard, has done it; or it is gone all the same.
                return self._success(response, call, {**answer, "status": "success", "data": {}})
        if self.retry.attempts <= 1 or getattr(call, "final", False):
            return Failed(error)
        if answer["status"] == "running":
            return Waiting("busy", attempts, error, number=envelope.job_id(answer))
        if envelope.rate_limited(said, response.status):
            return self._limited(response, error)
        task = envelope.blocking_task(said)
        if task is not None:
            # A job's answer stays what it is: it is the call that is to be asked again.
            again = _answered(asked) if calls.is_poll(asked.url) else None
            return Waiting("task", attempts, error, number=task or None, request=again)
        if response.status >= 500:
            return self.again_or(error, _as_asked(asked, call), attempts)
        return Failed(error)

    def _limited(self, response: Response, error: RequestError) -> Outcome:
        """Wait as long as is asked for; the refused call was not carried out, whatever its method."""
        asked = retry_after(response.headers.get("retry-after"), self.clock.time())
        if asked is not None and asked > self.retry.longest:
            return Failed(error)
        return Waiting("limit", response.attempts, error, delay=asked or None)

    def _no_envelope(self, response: Response, call: Call) -> Outcome:
        """A gateway, a proxy or a broken service has answered."""
        doing = errors.BY_METHOD.get(call.method, errors.DynectError)
        kind: type[RequestError] = UnexpectedResponse
        if response.status >= 400:
            kind, _ = errors.reason_of("", response.status)
        plain = self.error(response, call)
        error = errors.both(doing, kind)(
            f"no envelope of Managed DNS came back: {plain.message}",
            hint="a proxy or gateway may have answered instead of the service; see the error's body",
            **envelope.details(response, call),
        )
        if response.status == 429 and self.retry.attempts > 1:
            return self._limited(response, error)
        if response.status < 500:
            return Failed(error)
        return self.again_or(error, _as_asked(response.request, call), response.attempts)

    def _job(self, response: Response, call: Call, answer: dict[str, Any] | None) -> Outcome:
        """The call has become a job: ask for its end."""
        location = response.headers.get("location", "")
        number = calls.job_number(location) or envelope.job_id(answer)
        if location and not self._is_ours(location):
            return Failed(self._astray(response, call, f"a job at {redacted_url(location)}"))
        if number is None:
            if calls.is_poll(response.request.url):
                number = calls.job_number(response.request.url)
            else:
                return Failed(self._astray(response, call, "a job without a number"))
        url = f"{self.base_url}{calls.JOB}{number}/"
        error = self._still_running(call, url, f"job {number} has not ended yet", number)
        request = DynectRequest("GET", url, self._headers, b"", after=_answered(response.request))
        return Waiting("job", response.attempts, error, number=number, request=request)

    def _job_gone(self, response: Response, call: Call, error: RequestError) -> Outcome:
        """The job went with the token that began it: read again, but do not change anything twice."""
        asked = _answered(response.request)
        if asked.method == "GET":
            return Waiting("job", response.attempts, error, request=asked, delay=0.0)
        doing = errors.BY_METHOD.get(call.method, errors.DynectError)
        return Failed(
            doing(
                f"the token ended, and with it the job of {call}, which may have been done",
                hint="look before asking again",
                **envelope.details(response, call),
            )
        )

    def _is_ours(self, location: str) -> bool:
        try:
            return Origin.of(urljoin(f"{self.base_url}/", location)) == self.origin
        except ValueError:
            return False

    def _astray(self, response: Response, call: Call, what: str) -> RequestError:
        doing = errors.BY_METHOD.get(call.method, errors.DynectError)
        return errors.both(doing, UnexpectedResponse)(
            f"the service answered with {what}", **envelope.details(response, call)
        )

    def _still_running(self, call: Call, url: str, what: str, number: int | None = None) -> RequestError:
        return errors.DynectQueryTimeout(
            what,
            hint="it may still end; give the call more time with timeout=, or look for its effect later",
            method=call.method,
            uri=call.uri,
            url=redacted_url(url),
            job_id=number or calls.job_number(url),
        )

    # --- publications whose answer was lost ---

    def _of_publication(self, outcome: Outcome, call: Call, request: Request) -> Outcome:
        """Look, before a publication is repeated that may have been carried out, whether it has been."""
        if _is_look(_answered(request)):
            if isinstance(outcome, (Again, Failed, Renew)):
                outcome.error = self._unknown(call, outcome.error)
        elif (
            isinstance(outcome, Again)
            and outcome.request is None
            and request.method == "PUT"
            and publishes(target(call)[0], call)
            and _in_doubt(outcome.error)
        ):
            outcome.request = self._look("ZoneChanges", call, request)
        return outcome

    def _look(self, resource: str, call: Call, lost: Request) -> DynectRequest:
        url = f"{self.base_url}{calls.path(resource, target(call)[1])}"
        return DynectRequest("GET", url, self._headers, after=lost)

    def _looked(self, call: Call, answer: dict[str, Any], look: DynectRequest) -> Outcome:
        """A publication has been carried out if nothing is waiting any more and the zone has a serial.

        What is waiting may have been added meanwhile: that is published by whoever asks for it.
        """
        lost, data = look.after, answer["data"]
        assert isinstance(lost, DynectRequest)
        if look.token != lost.token:
            return Failed(self._unknown(call, None))
        if "/ZoneChanges/" in look.url and not data:
            return Again(self._look("Zone", call, lost), reason="is the zone published?")
        if "/ZoneChanges/" not in look.url and isinstance(data, dict) and data.get("serial"):
            return self._done(call, answer, lost)
        if self.login.changeset.accepted != lost.accepted:
            return Failed(self._unknown(call, None))
        return Again(self.prepare(call), reason="the zone is not published")

    def _unknown(self, call: Call, why: BaseException | None) -> RequestError:
        cause = f"; asking failed: {why.message}" if isinstance(why, RequestError) else ""
        return errors.DynectUpdateError(
            f"the answer to publishing {target(call)[1]} was lost, and it may have been published{cause}",
            hint="look at its changes and notes before publishing it again",
            method=call.method,
            uri=call.uri,
            url=redacted_url(self.url_of(calls.rest_path(call.uri))),
        )

    # --- changes lost with their token ---

    def _tell_lost(self, lost: list[Call]) -> None:
        """Tell the user, by warning and event, what was lost; nothing when nothing was."""
        if not lost:
            return
        zones = sorted({target(call)[1] for call in lost})
        self._announce("dyn.changes.lost", zones=zones, calls=[str(call) for call in lost])
        warnings.warn(
            f"the token ended, and with it {len(lost)} unpublished change(s) of {', '.join(zones)}; "
            "make them again with session.redo_lost_changes()",
            errors.DynectChangesLostWarning,
            stacklevel=2,
        )

    def _check_publish(self, request: Request) -> None:
        """Refuse to publish a zone of which changes were lost: the service would publish the rest.

        Raises:
            DynectChangesLost: listing them.
        """
        if request.method != "PUT" or not isinstance(request.body, bytes):
            return
        call = Call("PUT", urlsplit(request.url).path, json.loads(request.body))
        resource, zone = target(call)
        lost = self.login.changeset.lost.get(zone)
        if lost and publishes(resource, call):
            raise errors.DynectChangesLost(
                f"{len(lost)} change(s) of {zone} were lost with the token they were made with",
                hint="session.redo_lost_changes() makes them again, forget_lost_changes() gives them up",
                lost=lost,
                method="PUT",
                uri=call.uri,
                url=redacted_url(request.url),
                sent=False,
            )


def _answered(request: Request) -> Request:
    """The request that an answer is the answer of: for a poll, the one that became the job."""
    return request.answered if isinstance(request, DynectRequest) else request


def _is_look(request: Request) -> TypeGuard[DynectRequest]:
    """Whether it looks what became of another, whose answer was lost."""
    return isinstance(request, DynectRequest) and request.after is not None and not calls.is_poll(request.url)


def _orphaned(poll: Request) -> bool:
    """Whether it asks for a job that was begun with another token, and so ended with it."""
    began = _answered(poll)
    return began is not poll and began.token != poll.token


def _in_doubt(error: BaseException | None) -> bool:
    """Whether the call may have been carried out all the same."""
    return isinstance(error, RequestError) and error.sent and (error.status is None or error.status >= 500)


def _as_asked(request: Any, call: Call) -> Call:
    """The call as far as repeating it is concerned: a poll, a look and a report only read."""
    reads = isinstance(request, Request) and request.method == "GET"
    return replace(call, method="GET") if reads or calls.may_be_repeated(call) else call
