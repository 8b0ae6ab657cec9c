"""How a request is signed. Three ways to sign in, ready-made, and a base for others.

| the service wants | use |
|---|---|
| fixed headers, such as an API key | `HeaderAuth` |
| an OAuth 2 token for a client id and secret | `ClientCredentials` |
| a session token for a user name and password | `CredentialLogin` |

All of them are callable as `requests` calls its auth objects, so they also sign `session.http`; and any
`requests.auth.AuthBase` signs our sessions. A credential is bound to the session's origin.
"""

from __future__ import annotations

import base64
import weakref
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from sessionkit.errors import ConfigurationError, SessionClosed, UnexpectedResponse
from sessionkit.http.message import Call, Origin
from sessionkit.http.signing import Auth
from sessionkit.secrets import Secret, sounds_secret
from sessionkit.tokens import Token, TokenSource, token_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit.clock import Deadline
    from sessionkit.http.engine import HttpEngine
    from sessionkit.http.message import Request
    from sessionkit.tokens import TokenStore


class HeaderAuth(Auth):
    """The same headers on every request.

    >>> HeaderAuth({"X-Api-User": "ann", "X-Api-Key": Secret("...")})

    Args:
        headers: Names and values; a `Secret`, and any value whose header's name says key, token, secret
            or password, is kept out of every log and message.
    """

    def __init__(self, headers: Mapping[str, str | Secret]) -> None:
        self._headers = _hidden(headers)
        self._names = tuple(headers)

    def sign(self, request: Request, deadline: Deadline) -> None:  # noqa: ARG002
        """Set the headers."""
        for name, value in self._headers.items():
            request.headers[name] = value.reveal() if isinstance(value, Secret) else value
        request.credentials = self._names

    def __repr__(self) -> str:
        return f"<HeaderAuth {', '.join(self._names)}>"


def _hidden(fields: Mapping[str, str | Secret]) -> dict[str, str | Secret]:
    """The fields, with whatever is named like a credential made a `Secret`."""
    return {
        name: Secret(value) if isinstance(value, str) and sounds_secret(name) else value
        for name, value in fields.items()
    }


class TokenAuth(Auth):
    """A token in a header, renewed before it expires and when it is refused.

    >>> TokenAuth(TokenSource(fetch, key="weather/ann"))               # Authorization: Bearer ...
    >>> TokenAuth(source, header="Auth-Token", scheme="")              # Auth-Token: ...

    Args:
        source: Where tokens come from; shared by everything that signs with them.
        header: The header's name.
        scheme: What stands before the token, or "".
    """

    def __init__(self, source: TokenSource, *, header: str = "Authorization", scheme: str = "Bearer") -> None:
        self.source = source
        self._header = header
        self._names = (header,)
        self._prefix = f"{scheme} " if scheme else ""

    def sign(self, request: Request, deadline: Deadline) -> None:
        """Set the header, fetching or renewing the token first where that must be."""
        token = self.source.get(deadline=deadline)
        request.headers[self._header] = self._prefix + token.value
        request.credentials = self._names
        request.token = token

    renewable = True

    def renew(self, request: Request, deadline: Deadline) -> None:
        """Renew the token `request` carried, unless somebody has already."""
        self.source.get(refused=request.token, deadline=deadline)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._header}>"


class _FetchedAuth(TokenAuth):
    """A token that the session itself fetches from its service."""

    def __init__(self, *, header: str, scheme: str) -> None:
        # Weakly: the session holds its auth object, and must be freed when it is dropped.
        self._session: weakref.ref[HttpEngine] | None = None
        self._header = header
        self._names = (header,)
        self._prefix = f"{scheme} " if scheme else ""

    def bind(self, session: HttpEngine) -> None:
        """Take the session's connection settings, address and clock."""
        if self._session is not None:
            raise ConfigurationError(
                "this auth object belongs to another session", hint="make one for each session"
            )
        self._session = weakref.ref(session)
        self.source = self.make_source(session)
        self.source.on_renewed = self._renewed

    def _renewed(self, token: Token) -> None:
        self.session.token_renewed(token)

    @property
    def session(self) -> HttpEngine:
        """The session that uses this object.

        Raises:
            SessionClosed: it is gone.
        """
        session = None if self._session is None else self._session()
        if session is None:
            raise SessionClosed("the session of this credential is gone", hint="open another one")
        return session

    def make_source(self, session: HttpEngine) -> TokenSource:
        """The source of this object's tokens, once the session is known."""
        raise NotImplementedError


class ClientCredentials(_FetchedAuth):
    """OAuth 2's client credentials grant (RFC 6749, 4.4), its token kept in a store.

    >>> ClientCredentials("/oauth/token", client_id, client_secret, store=FileTokenStore("~/.weather_token"))

    Args:
        uri: The token endpoint, below the session's base URL or whole.
        client_id: The client.
        client_secret: Its secret.
        store: Where the token is kept between processes; None keeps it in memory.
        credentials_in: "header" for HTTP Basic, "form" or "json" for the body.
        scope: What to ask for, or None.
        options: Passed to `TokenSource` (`advisory`, `mandatory`, ...).
    """

    def __init__(
        self,
        uri: str,
        client_id: str,
        client_secret: str | Secret,
        *,
        store: TokenStore | None = None,
        credentials_in: Literal["header", "form", "json"] = "header",
        scope: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(header="Authorization", scheme="Bearer")
        self._uri = uri
        self._client_id = client_id
        self._secret = client_secret if isinstance(client_secret, Secret) else Secret(client_secret)
        self._store = store
        self._credentials_in = credentials_in
        self._scope = scope
        self._options = options

    def make_source(self, session: HttpEngine) -> TokenSource:
        """Tokens of this client at this service."""
        if session.base_url.startswith("https:") and Origin.of(session.url_of(self._uri)).scheme != "https":
            raise ConfigurationError(
                f"the token endpoint {self._uri} is not https", hint="a secret is never sent in clear text"
            )
        key = token_key(session.__metakey__, session.base_url, self._client_id, self._scope or "")
        return TokenSource(
            self.fetch,
            key=key,
            store=self._store or session.token_store,
            clock=session.clock,
            **self._options,
        )

    def fetch(self, deadline: Deadline) -> Token:
        """Ask for a token.

        Raises:
            AuthenticationError: the client or its secret was refused.
            UnexpectedResponse: the answer holds no token, or is another origin's.
        """
        fields = {"grant_type": "client_credentials"}
        if self._scope:
            fields["scope"] = self._scope
        session = self.session
        exchange = session.perform(self._call(fields), timeout=deadline.remaining())
        # The secret never follows a redirect, and what comes from where it leads is no token of ours.
        if Origin.of(exchange.response.url) != Origin.of(session.url_of(self._uri)):
            raise UnexpectedResponse("the token endpoint redirects to another origin", hint="see base_url")
        return Token.from_response(exchange.result, now=session.clock.time())

    def _call(self, fields: dict[str, str]) -> Call:
        if self._credentials_in == "header":
            pair = f"{self._client_id}:{self._secret.reveal()}".encode()
            basic = base64.b64encode(pair).decode()
            return _form(self._uri, fields, {"Authorization": f"Basic {basic}"})
        fields = {**fields, "client_id": self._client_id, "client_secret": self._secret.reveal()}
        if self._credentials_in == "form":
            return _form(self._uri, fields, {})
        return Call("POST", self._uri, fields, signed=False)


def _form(uri: str, fields: dict[str, str], headers: dict[str, str]) -> Call:
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return Call("POST", uri, urlencode(fields).encode(), headers=form, signed=False)


class CredentialLogin(_FetchedAuth):
    """A session token for a credential, given back when the session closes.

    >>> CredentialLogin("/login", {"user": "ann", "password": Secret("...")}, token="data.token")

    Args:
        uri: What the credential is posted to, as JSON.
        credential: Its fields; `Secret` values are revealed on the wire only.
        token: Where the answer holds the token: keys joined by dots.
        header: The header that carries it.
        scheme: What stands before it, or "".
        lifetime: Seconds it lives when the service does not say; None for as long as it is accepted.
        logout: Method and URI that give it back, or None.
        store: Where it is kept between processes; None (usual) gives every session its own.
    """

    def __init__(
        self,
        uri: str,
        credential: Mapping[str, str | Secret],
        *,
        token: str = "token",  # noqa: S107 - the name of a field
        header: str = "Authorization",
        scheme: str = "Bearer",
        lifetime: float | None = None,
        logout: tuple[str, str] | None = None,
        store: TokenStore | None = None,
    ) -> None:
        super().__init__(header=header, scheme=scheme)
        self._uri = uri
        self._credential = _hidden(credential)
        self._path = token.split(".")
        self._lifetime = lifetime
        self._logout = logout
        self._store = store

    def make_source(self, session: HttpEngine) -> TokenSource:
        """Tokens of this credential at this service."""
        plain = [value for value in self._credential.values() if not isinstance(value, Secret)]
        key = token_key(session.__metakey__, session.base_url, *plain)
        return TokenSource(
            self.fetch,
            key=key,
            store=self._store or session.token_store,
            clock=session.clock,
        )

    def fetch(self, deadline: Deadline) -> Token:
        """Log in.

        Raises:
            AuthenticationError: the credential was refused.
            UnexpectedResponse: the answer holds no token.
        """
        body = {name: v.reveal() if isinstance(v, Secret) else v for name, v in self._credential.items()}
        login = Call("POST", self._uri, body, signed=False)
        value: Any = self.session.execute(login, timeout=deadline.remaining())
        for key in self._path:
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, str) or not value:
            raise UnexpectedResponse(f"the login answered without {'.'.join(self._path)}", url=self._uri)
        return Token(value, None if self._lifetime is None else self.session.clock.time() + self._lifetime)

    def sign_out(self, session: HttpEngine, deadline: Deadline) -> None:
        """Log out, if a token is held or on its way; it is dropped whatever the service says."""
        if self.source.settled(deadline) is None:
            return
        try:
            if self._logout is not None:
                session.execute(Call(*self._logout), timeout=deadline.remaining())
        finally:
            self.source.forget()
