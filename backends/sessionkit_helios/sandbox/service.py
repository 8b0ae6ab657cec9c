"""The Helios weather service, in the sandbox."""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox.service import Service
from sessionkit_helios.sandbox import demo, errors
from sessionkit_helios.sandbox.camera_api import CameraApi
from sessionkit_helios.sandbox.collection_api import CollectionApi
from sessionkit_helios.sandbox.errors import ApiError
from sessionkit_helios.sandbox.gallery import Gallery
from sessionkit_helios.sandbox.origin import PictureOrigin
from sessionkit_helios.sandbox.query import Parameters
from sessionkit_helios.sandbox.recording_api import RecordingApi
from sessionkit_helios.sandbox.search_api import SearchApi
from sessionkit_helios.sandbox.store import KINDS, FeatureStore
from sessionkit_helios.sandbox.throttle import Throttle
from sessionkit_helios.sandbox.tokens import Holder, TokenDesk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from sessionkit.sandbox.service import Host
    from sessionkit_helios.sandbox.search_api import Handler

_KEYS = ("clients", *KINDS, "collections")


class HeliosService(Service):
    """Answers for api.helios.earth, at `/v1` of the sandbox.

    Attributes:
        tokens: The token desk; `tokens.requests` counts token requests by client id.
        origin: The second origin, where pictures are; `origin.leaked` has the Authorization headers
            that were sent there by mistake.
    """

    name: ClassVar[str] = "helios"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.tokens = TokenDesk(host.db, host.clock, f"{host.url}/v1")
        self._store = FeatureStore(host.db)
        self._gallery = Gallery(self._store, host.clock)
        self.origin = PictureOrigin(self._gallery, host.clock)
        self._search = SearchApi(self._store, self._gallery, self.origin)
        self._cameras = CameraApi(self._gallery, self.origin)
        self._collections = CollectionApi(host.db, host.clock, self._store, self._gallery, self.origin)
        self._recordings = RecordingApi(host.clock, self._store, self._gallery, self.origin)
        self._throttle = Throttle(host.clock)

    def routes(self) -> Sequence[BaseRoute]:
        """The service's routes, the picture store's, and `/v1/_sandbox` with what was counted."""
        protect = self._protect
        return [
            Route("/v1/oauth/token", _endpoint(self._token), methods=["POST"]),
            Route("/v1/session", self._session),
            *self._collections.routes(protect),
            *self._cameras.routes(protect),
            *self._recordings.routes(protect),
            *self._search.routes(protect),
            *self.origin.routes(),
            Route("/v1/_sandbox", self._counted),
        ]

    def setup(self) -> None:
        """Create the tables."""
        self.tokens.setup()
        self._store.setup()
        self._collections.setup()

    def demo(self) -> Mapping[str, Any]:
        """Cameras on three continents, the last hours' observations, and the storms they see."""
        return demo.data(int(self.host.clock.time() * 1000))

    def load(self, data: Mapping[str, Any], *, replace: bool) -> None:
        """Store `clients`, `cameras`, `observations`, `alerts`, `recordings` and `collections`.

        Features are GeoJSON as on the wire. A camera may also list its `images` and which of them are
        `duds`, both as ISO times; without, it takes one each ten minutes.
        """
        unknown = [key for key in data if key not in _KEYS]
        if unknown:
            raise ConfigurationError(
                f"helios.{unknown[0]} is no key here", hint=f"Known: {', '.join(_KEYS)}."
            )
        clients = data.get("clients") or {}
        if not isinstance(clients, dict):
            raise ConfigurationError("helios.clients is not a mapping of client id to secret")
        pairs = {str(client): str(secret) for client, secret in clients.items()}
        self.tokens.add_clients(pairs, replace=replace)
        for kind in KINDS:
            if replace:
                self._store.clear(kind)
            self._store.put(kind, _features(data, kind))
        if replace:
            self._collections.clear()
        for index, collection in enumerate(_features(data, "collections")):
            self._put_collection(index, collection)

    def _put_collection(self, index: int, collection: Any) -> None:
        try:
            self._collections.put(collection, collection.get("user_id", "sandbox"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"helios.collections[{index}] cannot be: {error!r}",
                hint="It needs a name; images are named as the service names them.",
            ) from error

    def env(self) -> Mapping[str, str]:
        """The three variables that the vendor's client and ours read."""
        client, secret = demo.CLIENT
        return {
            "helios_client_id": client,
            "helios_client_secret": secret,
            "helios_api_url": f"{self.host.url}/v1",
        }

    def fault(self, kind: str, options: Mapping[str, Any]) -> bool:
        """Do one of this service's own faults.

        ============== =============================== ====================================================
        kind           options                         what happens
        ============== =============================== ====================================================
        expire_tokens  `leaving`: seconds (0)          tokens issued so far end in so many seconds
        revoke_tokens                                  tokens issued so far are refused, whatever they claim
        token_lifetime `seconds` (93,600)              tokens issued from now on live so long
        rate_limit     `limit` (0: off), `per` (1.0)   429 after so many requests in so many seconds
        expire_links                                   signed links to pictures made so far are refused
        ============== =============================== ====================================================
        """
        do = self._faults().get(kind)
        if do is None:
            return False
        do(options)
        return True

    def _faults(self) -> dict[str, Callable[[Mapping[str, Any]], None]]:
        return {
            "expire_tokens": lambda options: self.tokens.expire_all(_number(options, "leaving", 0.0)),
            "revoke_tokens": lambda _: self.tokens.revoke_all(),
            "token_lifetime": lambda options: self.tokens.set_lifetime(_number(options, "seconds", 93_600.0)),
            "rate_limit": lambda options: self._throttle.set(
                int(_number(options, "limit", 0)), _number(options, "per", 1.0)
            ),
            "expire_links": lambda _: self.origin.expire_links(),
        }

    def _protect(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that lets holders of a good token in, as often as the throttle allows."""

        def admit(request: Request, given: Parameters) -> Response:
            holder = self._holder(request, given)
            if holder is None:
                challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
                raise ApiError(401, "The access token is missing, expired or revoked.", challenge)
            self._throttle.enter(holder.client)
            request.state.client = holder.client
            return handler(request, given)

        return _endpoint(admit)

    def _holder(self, request: Request, given: Mapping[str, str]) -> Holder | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = given.get("access_token", "") if request.method in {"POST", "PATCH"} else ""
        return self.tokens.holder(token.strip())

    def _token(self, request: Request, given: Parameters) -> Response:
        client, secret = _credentials(request, given)
        if given.get("grant_type") != "client_credentials":
            raise ApiError(400, "The only grant_type is client_credentials.")
        token = self.tokens.issue(client, secret)
        if token is None:
            raise ApiError(401, "Unknown client id or wrong secret.", {"WWW-Authenticate": "Basic"})
        expires_in = int(self.tokens.lifetime)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": expires_in})

    async def _session(self, request: Request) -> Response:
        holder = self._holder(request, {})
        # For a token that is no good the real service answers 200 with nulls.
        name, left = (holder.client, int(holder.expires_in)) if holder else (None, None)
        return JSONResponse({"name": name, "roles": [], "context": {}, "expires_in": left})

    async def _counted(self, _: Request) -> Response:
        return JSONResponse(
            {"token_requests": self.tokens.requests, "leaked_authorizations": len(self.origin.leaked)}
        )


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A Starlette endpoint whose refusals are JSON."""

    async def endpoint(request: Request) -> Response:
        try:
            return handler(request, await Parameters.of(request))
        except ApiError as error:
            return errors.render(error)

    return endpoint


def _credentials(request: Request, given: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret from a Basic header, or else from the body."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return given.get("client_id", ""), given.get("client_secret", "")
    try:
        client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ApiError(400, "The Basic credentials are not base64 of id:secret.") from error
    return client, secret


def _features(data: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = data.get(key) or []
    if not isinstance(found, list):
        raise ConfigurationError(f"helios.{key} is not a list")
    return found


def _number(options: Mapping[str, Any], name: str, default: float) -> float:
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ConfigurationError(f"{name}={value!r} of a fault is not a number of at least 0")
    return value
