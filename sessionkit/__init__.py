"""sessionkit: one session layer for every service a Python tool talks to.

    import sessionkit
    from sessionkit_dyn import DynectSession, zones

    DynectSession("acme", "ann", "secret")     # signed in, for this thread
    zones.get_all_zones()                      # finds the current session

    with sessionkit.connect("staging"):        # a profile's session, for this block
        zones.get_all_zones()

Names are imported when they are first used, so that `import sessionkit` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit.auth import ClientCredentials, CredentialLogin, HeaderAuth, TokenAuth
    from sessionkit.connecting import connect
    from sessionkit.engine import SessionEngine
    from sessionkit.errors import NoCurrentSession, SessionKitError
    from sessionkit.http import Call, HttpEngine, Request, Response, RetryPolicy
    from sessionkit.outcome import Again, Done, Failed, Renew
    from sessionkit.registry import Singleton, current, sessions
    from sessionkit.secrets import Secret
    from sessionkit.threads import ThreadPoolExecutor, propagate
    from sessionkit.tokens import FileTokenStore, MemoryTokenStore, Token, TokenSource

_HOMES = {
    "sessionkit.auth": ("ClientCredentials", "CredentialLogin", "HeaderAuth", "TokenAuth"),
    "sessionkit.connecting": ("connect",),
    "sessionkit.engine": ("SessionEngine",),
    "sessionkit.errors": ("NoCurrentSession", "SessionKitError"),
    "sessionkit.http": ("Call", "HttpEngine", "Request", "Response", "RetryPolicy"),
    "sessionkit.outcome": ("Again", "Done", "Failed", "Renew"),
    "sessionkit.registry": ("Singleton", "current", "sessions"),
    "sessionkit.secrets": ("Secret",),
    "sessionkit.threads": ("ThreadPoolExecutor", "propagate"),
    "sessionkit.tokens": ("FileTokenStore", "MemoryTokenStore", "Token", "TokenSource"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Again",
    "Call",
    "ClientCredentials",
    "CredentialLogin",
    "Done",
    "Failed",
    "FileTokenStore",
    "HeaderAuth",
    "HttpEngine",
    "MemoryTokenStore",
    "NoCurrentSession",
    "Renew",
    "Request",
    "Response",
    "RetryPolicy",
    "Secret",
    "SessionEngine",
    "SessionKitError",
    "Singleton",
    "ThreadPoolExecutor",
    "Token",
    "TokenAuth",
    "TokenSource",
    "connect",
    "current",
    "propagate",
    "sessions",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'sessionkit' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
