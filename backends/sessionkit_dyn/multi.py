"""`DynectMultiSession`: several users of Managed DNS in one session, one of them active."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

from sessionkit.clock import Deadline
from sessionkit.errors import SessionKitError
from sessionkit.http.engine import SIGN_OUT_SECONDS
from sessionkit.secrets import Secret
from sessionkit_dyn import errors
from sessionkit_dyn.login import DynectLogin
from sessionkit_dyn.session import DynectSession


class OpenSession(NamedTuple):
    """A user that is signed in.

    Attributes:
        customer_name: The account.
        user_name: The user.
        active: Whether calls are this user's.
    """

    customer_name: str
    user_name: str
    active: bool


class DynectMultiSession(DynectSession):
    """A session that several users are signed in to; calls are the active one's.

        session = DynectMultiSession("acme", "ann", password)
        session.new_user_session("acme", "ops", other_password)     # ops is active now
        session.set_active_session("ann")                           # asks nothing: ann's token is kept

    Each user has a token, and so unpublished changes, of their own. Closing signs all of them out.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._logins: dict[str, DynectLogin] = {}
        super().__init__(*args, **options)
        self._logins[self.login.principal] = self.login

    def new_user_session(self, customer: str, username: str, password: str | Secret) -> None:
        """Sign another user in, and let them be active.

        Raises:
            DynectAuthError: the credential was refused; who was active before still is.
        """
        secret = password if isinstance(password, Secret) else Secret(password)
        login = DynectLogin(customer, username, secret)
        login.bind(self)
        login.source.get(deadline=Deadline.after(self.timeout, self.clock))
        self._logins[login.principal] = login
        self._activate(login)

    def set_active_session(self, username: str, customer: str | None = None) -> None:
        """Let a user who is signed in be active.

        Args:
            username: The user.
            customer: The account; needed when users of two accounts have this name.

        Raises:
            DynectInvalidArgumentError: nobody, or more than one, of that name is signed in.
        """
        found = [
            login
            for login in self._logins.values()
            if login.username == username and customer in {None, login.customer}
        ]
        if len(found) != 1:
            problem = "is not signed in" if not found else "is signed in to several accounts: give customer="
            raise errors.DynectInvalidArgumentError("username", username, list(self._logins), problem=problem)
        self._activate(found[0])

    @property
    def get_open_sessions(self) -> list[OpenSession]:
        """Who is signed in, in the order of signing in; no secret among it."""
        return [
            OpenSession(login.customer, login.username, login is self.login)
            for login in self._logins.values()
        ]

    @property
    def current_open_session(self) -> OpenSession:
        """Who is active."""
        return OpenSession(self.login.customer, self.login.username, active=True)

    def log_out_active_session(self) -> None:
        """Sign the active user out; who signed in last among the others is active then.

        The session closes with its last user.
        """
        if len(self._logins) == 1:
            self.log_out()
            return
        login = self._logins.pop(self.login.principal)
        try:
            login.sign_out(self, Deadline.after(self.timeout, self.clock))
        finally:
            self._activate(list(self._logins.values())[-1])

    def sign_out(self) -> None:
        """Give everyone's token back."""
        active = self.login
        for login in self._logins.values() or [active]:
            self._activate(login)
            with suppress(SessionKitError):  # the others' are to be given back all the same
                login.sign_out(self, Deadline.after(SIGN_OUT_SECONDS, self.clock))
        self._activate(active)

    def _activate(self, login: DynectLogin) -> None:
        self._auth = login
        self.principal = login.principal
