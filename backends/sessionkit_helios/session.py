"""`HeliosSession`: signed in to Helios."""

from __future__ import annotations

import logging
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sessionkit import paths
from sessionkit.auth import ClientCredentials
from sessionkit.clock import SYSTEM_CLOCK, Deadline
from sessionkit.errors import AuthenticationError, ConfigurationError
from sessionkit.http import Call, HttpEngine
from sessionkit.secrets import redact_url
from sessionkit.tokens import FileTokenStore, Token, TokenStore
from sessionkit_helios import credentials, legacy

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from typing_extensions import Self

    from sessionkit.http.limits import ConcurrencyLimit
    from sessionkit.secrets import Secret
    from sessionkit_helios.pace import Pace

log = logging.getLogger(__name__)

API_URL = "https://api.helios.earth/v1"
TOKEN_FILE = ".helios_token"  # noqa: S105 - a file's name
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LAST_MOMENT = datetime.max.replace(tzinfo=timezone.utc).timestamp()
WORKERS = 32
"""Requests of one method at once, when the session sets no limit."""


class HeliosSession(HttpEngine):
    """A session with the Helios weather service.

        with HeliosSession() as sess:
            for camera in Cameras().index(state="Virginia"):
                print(camera.id, camera.description)

    A token is fetched once, kept in `.helios_token`, shared by all threads and processes, and renewed before
    it ends or when it is refused; a session that finds a good one asks for nothing until its first call.

    Args:
        client_id: The API key's id; None looks in the environment (`helios_client_id`), in `credentials.json`
            and in the profile `helios`.
        client_secret: Its secret (`helios_client_secret`).
        api_url: Where the service is (`helios_api_url`).
        base_dir: The directory of `.helios_token` and `credentials.json`. None keeps the token in the home
            directory, and looks for the credentials in `~/.helios`.
        max_concurrency: Requests under way at once, whichever method or thread asks; None for no limit.
        token_expiration_threshold: Minutes before its end from which a token is renewed in the background.
            A short-lived token is used for at least three quarters of its life.
        ssl_verify: True, False, or the path of the authorities to trust.
        token_store: Where the token is kept instead of the file, such as a `RedisTokenStore` for many
            machines.
        rate_limit: Requests a second at most, of this client id in all processes of this machine.
        options: See `HttpEngine`: `timeout`, `retry`, `proxies`, `cache`, ...

    Raises:
        ConfigurationError: no credentials, or an argument that cannot work.
    """

    __metakey__ = "helios"
    base_url = API_URL
    user_agent = "sessionkit-helios"

    def __init__(
        self,
        client_id: str | None = None,
        client_secret: str | Secret | None = None,
        api_url: str | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        max_concurrency: int | None = None,
        token_expiration_threshold: float = 60.0,
        ssl_verify: bool | str | Path = True,
        *,
        token_store: TokenStore | None = None,
        rate_limit: float | None = None,
        **options: Any,
    ) -> None:
        if token_expiration_threshold < 0:
            raise ConfigurationError("token_expiration_threshold is in minutes, and not negative")
        home = paths.expanded("~")
        base = paths.expanded(base_dir) if base_dir is not None else home / ".helios"
        found = credentials.find(client_id, client_secret, api_url, base)
        url = (found.api_url or API_URL).rstrip("/")
        self.client_id = found.client_id
        self.token_file = (base if base_dir is not None else home) / TOKEN_FILE
        self._credential = ClientCredentials(
            "/oauth/token",
            found.client_id,
            found.client_secret,
            store=token_store or _file_store(self.token_file, found.client_id, url, base, home, options),
            advisory=token_expiration_threshold * 60,
        )
        self._pace = None if rate_limit is None else _pace(rate_limit, f"{found.client_id}@{url}")
        if url.startswith("http:") and urlsplit(url).hostname not in _LOOPBACK:
            log.warning("client secret and token go to %s in clear text", redact_url(url))
        super().__init__(
            url,
            auth=self._credential,
            max_concurrency=max_concurrency,
            verify=ssl_verify,
            principal=found.client_id,
            **options,
        )

    def start_session(self) -> None:
        """Make sure of a good token: the service is asked about the one at hand, and a new one is fetched
        only when it says no.

        Nothing has to call this: `with` fetches a token when there is none, and each call renews what it
        finds expired or refused.
        """
        deadline = Deadline.after(self.timeout, self.clock)
        token = self._credential.source.current
        if token is None:
            self._credential.source.get(deadline=deadline)
        elif not self.verify_token():
            self._credential.source.get(refused=token, deadline=deadline)

    def verify_token(self) -> bool:
        """Whether the service accepts the token at hand; costs a request."""
        token = self._credential.source.get()
        header = {"Authorization": f"Bearer {token.value}"}
        # Signed by hand: for this one call, being refused is an answer and no reason to renew.
        try:
            answer = self.execute(Call("GET", "/session", headers=header, signed=False))
        except AuthenticationError:
            return False
        return isinstance(answer, dict) and bool(answer.get("name")) and bool(answer.get("expires_in"))

    @property
    def token(self) -> Token | None:
        """The token at hand, if it has not ended; nothing is read or asked."""
        return self._credential.source.current

    def admit(self, deadline: Deadline) -> ConcurrencyLimit | None:
        """Wait until `rate_limit` and `max_concurrency` allow another request."""
        limit = super().admit(deadline)
        if self._pace is not None:
            try:
                self._pace.wait(deadline)
            except BaseException:
                if limit is not None:
                    limit.release()
                raise
        return limit

    @property
    def workers(self) -> int:
        """How many threads a method that asks for much at once may use."""
        return self.max_concurrency or WORKERS

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._credential.source.get(deadline=Deadline.after(self.timeout, self.clock))
        except BaseException:
            self.__exit__(*sys.exc_info())  # nobody else will: the block was never entered
            raise
        return self

    def __str__(self) -> str:
        token = self.token
        if token is None:
            state = "no token yet"
        elif token.expires_at is None or token.expires_at > _LAST_MOMENT:
            state = "signed in"
        else:
            end = datetime.fromtimestamp(token.expires_at, timezone.utc)
            state = f"signed in until {end:%Y-%m-%d %H:%M:%S} UTC"
        return f"HeliosSession of {self.client_id} at {self.base_url}: {'closed' if self.closed else state}"


def _pace(rate: float, account: str) -> Pace:
    from sessionkit_helios.pace import Pace  # noqa: PLC0415 - loads filelock, which an import need not wait for

    return Pace(rate, account)


def _file_store(
    path: Path, client_id: str, url: str, base: Path, home: Path, options: dict[str, Any]
) -> FileTokenStore:
    return FileTokenStore(
        path,
        readers=[legacy.reader(url)],
        legacy=legacy.paths(client_id, base, home),
        clock=options.get("clock", SYSTEM_CLOCK),
    )
