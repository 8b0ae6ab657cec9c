"""Signing in to Managed DNS: a token for customer, user name and password, sent as `Auth-Token`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.auth import CredentialLogin
from sessionkit_dyn.changeset import Changeset

if TYPE_CHECKING:
    from sessionkit.secrets import Secret

SESSION = "/REST/Session/"


class DynectLogin(CredentialLogin):
    """One user's login, and what is bound to its token: the unpublished changes.

    Args:
        customer: The account.
        username: The user.
        password: The password; kept as a `Secret`.
    """

    def __init__(self, customer: str, username: str, password: str | Secret) -> None:
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
        )

    @property
    def principal(self) -> str:
        """Whose login it is."""
        return f"{self.customer}/{self.username}"

    def set_password(self, password: Secret) -> None:
        """Sign in with another password from now on."""
        self._credential["password"] = password
