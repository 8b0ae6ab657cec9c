"""Signing in to Managed DNS: a token for customer, user name and password, sent as `Auth-Token`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.auth import CredentialLogin
from sessionkit.http import Call
from sessionkit_dyn.changeset import Changeset

if TYPE_CHECKING:
    from sessionkit.clock import Deadline
    from sessionkit.secrets import Secret
    from sessionkit.tokens import TokenStore

SESSION = "/REST/Session/"


class DynectLogin(CredentialLogin):
    """One user's login, and what is bound to its token: the unpublished changes.

    Args:
        customer: The account.
        username: The user.
        password: The password; kept as a `Secret`.
        store: Where the token is kept between processes; None gives the session a token of its own, which
            ends with it.
    """

    def __init__(
        self, customer: str, username: str, password: str | Secret, store: TokenStore | None = None
    ) -> None:
        self.customer = customer
        self.username = username
        self.changeset = Changeset()
        self.permissions: list[str] | None = None
        credential = {"customer_name": customer, "user_name": username, "password": password}
        super().__init__(
            SESSION,
            credential,
            token="data.token",  # noqa: S106 - where the answer holds it
            header="Auth-Token",
            scheme="",
            logout=("DELETE", SESSION),
            store=store,
        )

    @property
    def principal(self) -> str:
        """Whose login it is."""
        return f"{self.customer}/{self.username}"

    @property
    def ends_with_session(self) -> bool:
        """Whether the token is given back when the session closes."""
        return self._store is None

    def set_password(self, password: Secret) -> None:
        """Sign in with another password from now on."""
        self._credential["password"] = password

    def give_back(self, deadline: Deadline) -> None:
        """Log out, also when the token is kept in a store."""
        if self.source.current is not None:
            self.ask(Call("DELETE", SESSION), deadline)
            self.source.forget()
