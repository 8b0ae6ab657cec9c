"""The Dyn service of the sandbox: Managed DNS at `/REST`, Message Management at `/rest/json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.routing import Route

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox import Host, Service
from sessionkit_dyn.sandbox import demo, jobs, loading, sessions, tables, tasks
from sessionkit_dyn.sandbox.api import DynApi
from sessionkit_dyn.sandbox.call import Call, plain_name
from sessionkit_dyn.sandbox.mail import MailApi
from sessionkit_dyn.sandbox.sessions import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.routing import BaseRoute


class DynService(Service):
    """Managed DNS and Message Management, as the vendor's own clients expect them.

    Its faults, beside the general ones:

    | kind | what happens | options (default) |
    |---|---|---|
    | expire_token | sessions are refused with "Bad or expired credentials" (400) | customer, user (all) |
    | revoke_token | the same, with 401 | customer, user (all) |
    | block_zone | changes of a zone meet "Operation blocked by current task" | zone, task_name, times (1) |
    | job | the next calls become jobs | style ("redirect"), polls (1), seconds (0), times, path, method |
    | running | the next calls meet "This session already has a job running" | times (1) |
    | array_error | the next refusals come wrapped in an array | times (1) |
    | rate_limit | the next calls meet the rate limit | times (1) |

    A zone that is blocked `times: null` stays so until its task is cancelled. The other style of a job is
    "incomplete": an answer with status 200 that says so, instead of a redirect (307) to the job.
    """

    name = "dyn"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._api = DynApi(host)
        self._mail = MailApi(host)

    def routes(self) -> Sequence[BaseRoute]:
        """`/REST` and `/rest/json`, whatever the method: the service answers wrong ones itself."""
        methods = ["GET", "POST", "PUT", "DELETE"]
        return [
            Route("/REST/{path:path}", self._api.answer, methods=methods),
            Route("/rest/json/{path:path}", self._mail.answer, methods=["GET", "POST"]),
        ]

    def setup(self) -> None:
        """Make the tables."""
        tables.create(self.host.db)

    def demo(self) -> Mapping[str, Any]:
        """A customer with two zones, and a mail account."""
        return demo.data()

    def load(self, data: Mapping[str, Any], *, replace: bool) -> None:
        """Store a data file's section; see `sessionkit_dyn.sandbox.loading` for its form.

        Raises:
            ConfigurationError: naming the key that is wrong.
        """
        if replace:
            with self.host.db:
                tables.empty(self.host.db)
            self._api.limits = Limits()
        self._api.limits = loading.load(self.host, data) or self._api.limits

    def env(self) -> Mapping[str, str]:
        """Where it is, and whom to be: the first customer and user, the first mail account."""
        url = urlsplit(self.host.url)
        found = {
            "DYN_HOST": url.hostname or "",
            "DYN_PORT": str(url.port),
            "DYN_SSL": str(url.scheme == "https").lower(),
        }
        user = tables.one(self.host.db, "SELECT customer, user_name, password FROM dyn_user ORDER BY rowid")
        if user is not None:
            names = ("DYN_CUSTOMER", "DYN_USERNAME", "DYN_PASSWORD")
            found.update(zip(names, user.values(), strict=True))
        account = tables.one(self.host.db, "SELECT apikey FROM dyn_mail_account ORDER BY rowid")
        if account is not None:
            found["DYN_MM_APIKEY"] = account["apikey"]
            for name in ("HOST", "PORT", "SSL"):
                found[f"DYN_MM_{name}"] = found[f"DYN_{name}"]
        return found

    def fault(self, kind: str, options: Mapping[str, Any]) -> bool:
        """Do one of the faults of the table above.

        Raises:
            ConfigurationError: for an option that it does not have.
        """
        action = self._faults().get(kind)
        if action is None:
            return False
        try:
            with self.host.db:
                action(**options)
        except TypeError as error:
            raise ConfigurationError(f"the fault {kind!r} has not these options: {error}") from error
        return True

    def _faults(self) -> dict[str, Callable[..., None]]:
        return {
            "expire_token": lambda **options: self._spoil("expired", **options),
            "revoke_token": lambda **options: self._spoil("revoked", **options),
            "block_zone": self._block_zone,
            "job": lambda **options: self._api.plans.append(jobs.Plan(**options)),
            "running": lambda times=1: setattr(self._api, "busy", times),
            "array_error": lambda times=1: setattr(self._api, "arrays", times),
            "rate_limit": lambda times=1: setattr(self._api, "limited", times),
        }

    def _spoil(self, state: str, *, customer: str = "%", user: str = "%") -> None:
        sessions.spoil(self.host.db, state, customer, user)

    def _block_zone(self, *, zone: str, task_name: str = "ProvisionZone", times: int | None = 1) -> None:
        row = tables.one(self.host.db, "SELECT customer FROM dyn_zone WHERE zone = ?", plain_name(zone))
        if row is None:
            raise ConfigurationError(f"there is no zone {zone!r}")
        call = Call(self.host.db, self.host.clock, "POST", "Task", [], customer=row["customer"])
        tasks.block(call, plain_name(zone), task_name, times)
