"""`DynectSession`: a session with Managed DNS."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from sessionkit.clock import Deadline
from sessionkit.config import Setting, resolve
from sessionkit.errors import ConfigurationError
from sessionkit.secrets import Secret, register
from sessionkit_dyn.calls import call_of
from sessionkit_dyn.login import SESSION, DynectLogin
from sessionkit_dyn.protocol import DynectProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.http import Call
    from sessionkit.tokens import TokenStore
    from sessionkit_dyn.waiting import Progress

log = logging.getLogger(__name__)


class DynectSession(DynectProtocol):
    """A session with Managed DNS, signed in when it is made.

        DynectSession("acme", "ann", password)
        zones.get_all_zones()                         # finds the session by itself

        with DynectSession("acme", "ann", password) as session:
            session.execute("/Zone/example.test/", "GET")["data"]["serial"]

    Long calls become jobs of the service; the session waits for them, for tasks that hold a zone and for
    the account's rate limit, within one deadline (`timeout`, seconds). What it waits for is told to
    `progress` and to subscribers of `dyn.*.waiting` on its event hub.

    Changes wait for `Zone.publish()`, and belong to the token they were made with. Should that token end
    before, they are lost: a `DynectChangesLostWarning` says so, `lost_changes` lists them, and publishing
    their zone raises `DynectChangesLost` until they are made again (`redo_lost_changes()`) or given up
    (`forget_lost_changes()`).

    Args:
        customer: The account; `$DYN_CUSTOMER` when not given.
        username: The user; `$DYN_USERNAME` when not given.
        password: The password, kept as a `Secret`; `$DYN_PASSWORD` when not given.
        host: Where the service is, by default `$DYN_HOST` or api.dynect.net; a whole URL also says scheme
            and port.
        port: Its port; `$DYN_PORT` or 443.
        ssl: Whether to use https; `$DYN_SSL` or yes.
        api_version: Sent as `API-Version`.
        auto_auth: Sign in now; False leaves it to `authenticate()` or the first call.
        key: Not needed: taken, because the vendor's client encrypts the password it keeps with it.
        history: How many calls `history` remembers; True for 1,000.
        proxy_host: A proxy for this session, instead of the environment's.
        proxy_port: Its port.
        proxy_user: Its user.
        proxy_pass: Its password.
        timeout: Seconds for a call as a whole, its job included.
        token_store: Where the token is kept between processes; None gives the session its own, which is
            logged out when the session closes.
        progress: Called with a `Progress` before each wait; what it raises ends the call.
        options: See `HttpEngine`.

    Raises:
        DynectAuthError: the credential was refused.
        ConnectionFailed: the service could not be reached.
        ConfigurationError: an argument that cannot work.
    """

    __metakey__ = "dyn"

    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("customer", env=("DYN_CUSTOMER",), required=True),
        Setting("username", env=("DYN_USERNAME",), required=True),
        Setting("password", env=("DYN_PASSWORD",), secret=True, required=True),
        Setting("host", env=("DYN_HOST",), default="api.dynect.net"),
        Setting("port", env=("DYN_PORT",), default=443),
        Setting("ssl", env=("DYN_SSL",), default=True),
    )

    def __init__(
        self,
        customer: str | None = None,
        username: str | None = None,
        password: str | Secret | None = None,
        host: str | None = None,
        port: int | None = None,
        ssl: bool | None = None,
        api_version: str = "current",
        auto_auth: bool = True,
        key: str | None = None,
        history: int | bool = False,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_user: str | None = None,
        proxy_pass: str | None = None,
        *,
        timeout: float = 120.0,
        token_store: TokenStore | None = None,
        progress: Callable[[Progress], None] | None = None,
        **options: Any,
    ) -> None:
        given: dict[str, Any] = {"customer": customer, "username": username, "password": password}
        given |= {"host": host, "port": port, "ssl": ssl}
        known = {name: value.value for name, value in resolve(self.settings, given).items()}
        if key is not None:
            register(key)
        self.progress = progress
        login = DynectLogin(known["customer"], known["username"], Secret(known["password"]))
        proxy = proxy_url(proxy_host, proxy_port, proxy_user, proxy_pass)
        if proxy is not None:
            options["proxies"] = proxy
        super().__init__(
            service_url(known["host"], known["port"], known["ssl"]),
            auth=login,
            timeout=timeout,
            headers={
                "API-Version": api_version,
                "Content-Type": "application/json",
                **(options.pop("headers", None) or {}),
            },
            history=history,
            principal=login.principal,
            token_store=token_store,
            **options,
        )
        if auto_auth:
            self.authenticate()

    # --- what users call ---

    def execute(
        self,
        call: Call | str,
        method: str = "GET",
        args: Any = None,
        final: bool = False,
        *,
        timeout: float | None = None,
    ) -> Any:
        """Make a call and return its whole answer: `status`, `data`, `msgs`, `job_id`.

        >>> session.execute("/ARecord/example.test/www.example.test/", "POST",
        ...                 {"rdata": {"address": "192.0.2.1"}, "ttl": 3600})

        Args:
            call: The URI, with or without "/REST", or a `Call`.
            method: "GET", "POST", "PUT" or "DELETE".
            args: The arguments; they are sent as JSON, whatever the method.
            final: Take "not now" for the answer instead of waiting; jobs are waited for all the same.
            timeout: Seconds for this call instead of the session's `timeout`.

        Raises:
            DynectError: the service refused; each error is also one of `sessionkit.errors`.
            RequestError: no answer came.
        """
        return super().execute(call_of(call, method, args, final), timeout=timeout)

    def authenticate(self) -> None:
        """Sign in, unless a token is held.

        Raises:
            DynectAuthError: the credential was refused.
        """
        self.login.source.get(deadline=Deadline.after(self.timeout, self.clock))

    def log_out(self) -> None:
        """Give the token back, also a stored one, and close the session; unpublished changes are lost.

        May be called any number of times.
        """
        if not self.closed:
            try:
                self.sign_out()
            finally:
                self.close()

    def keep_alive(self) -> None:
        """Tell the service that the session is in use, so that it is not logged out for being idle."""
        self.execute(SESSION, "PUT")

    def update_password(self, new_password: str | Secret) -> None:
        """Change the signed-in user's password; the session uses it from then on."""
        password = new_password if isinstance(new_password, Secret) else Secret(new_password)
        self.execute("/Password/", "PUT", {"password": password.reveal()})
        self.login.set_password(password)

    @property
    def permissions(self) -> list[str]:
        """What the signed-in user may do; asked for once."""
        if self.login.permissions is None:
            self.login.permissions = self.user_permissions_report()
        return list(self.login.permissions)

    def user_permissions_report(self, user_name: str | None = None) -> list[str]:
        """The names of what a user may do.

        Args:
            user_name: None for the signed-in user.
        """
        answer = self.execute(
            "/UserPermissionReport/", "POST", {"user_name": user_name or self.login.username}
        )
        data = answer["data"]
        allowed = data.get("allowed") if isinstance(data, dict) else None
        rows = allowed if isinstance(allowed, list) else []
        return [row["name"] for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)]

    # --- unpublished changes ---

    @property
    def pending_changes(self) -> dict[str, list[Call]]:
        """By zone, the calls of this session that wait to be published."""
        return self.login.changeset.pending

    @property
    def lost_changes(self) -> dict[str, list[Call]]:
        """By zone, the calls whose changes were lost with an earlier token."""
        return self.login.changeset.lost

    def forget_lost_changes(self, zone: str | None = None) -> list[Call]:
        """Give up what was lost in `zone`, or everywhere, so that it can be published again.

        Returns the calls that were lost. What has been changed since is still pending at the service.
        """
        return self.login.changeset.forget_lost(zone)

    def redo_lost_changes(self, zone: str | None = None) -> int:
        """Make the lost changes of `zone`, or of all, again in their order; returns how many.

        What is not made again yet stays in `lost_changes`, and its zone unpublished.

        Raises:
            DynectError: one was refused; it and those after it are still listed in `lost_changes`.
        """
        changeset = self.login.changeset
        with changeset.exclusive(self.deadline(), "lost changes"):
            most = len(changeset.lost_in(zone))
            for done in range(most):
                lost = changeset.lost_in(zone)
                if not lost:  # somebody has given up the rest
                    return done
                self.execute(lost[0])
        return most

    def on_close(self) -> None:
        """Drop every connection; what was not published went with the token, so say so."""
        super().on_close()
        pending = self.pending_changes if self.owns_credential else {}
        if pending:
            log.warning("%s was closed with unpublished changes of %s", self, ", ".join(sorted(pending)))

    def __str__(self) -> str:
        return f"<{type(self).__name__}>: {self.login.customer}, {self.login.username}"


def service_url(host: str, port: int | str, ssl: bool | str) -> str:
    """The base URL of a host, which may be a URL itself.

    Raises:
        ConfigurationError: for a port that is no number.
    """
    if "://" in host:
        return host
    if not str(port).isdecimal():
        raise ConfigurationError(f"the port is {port!r}", hint="a number from 1 to 65535")
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    secure = str(ssl).lower() not in {"false", "0", "no", "off", "n"}
    return f"{'https' if secure else 'http'}://{name}:{port}"


def proxy_url(host: str | None, port: int | None, user: str | None, password: str | None) -> str | None:
    """The proxy's URL, or None.

    Raises:
        ConfigurationError: for a user or port without a host, or a host without a port.
    """
    if host is None:
        if port or user or password:
            raise ConfigurationError("a proxy needs a host", hint="give proxy_host= too")
        return None
    if port is None:
        raise ConfigurationError(f"the proxy {host} has no port", hint="give proxy_port= too")
    if user is None:
        return f"http://{host}:{port}"
    if password:
        register(password)
    return f"http://{quote(user, safe='')}:{quote(password or '', safe='')}@{host}:{port}"
