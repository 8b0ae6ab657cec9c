"""Sessions: sign in and out, the token that every other call carries, and one's own password."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionkit_dyn.sandbox import changes, tables
from sessionkit_dyn.sandbox.envelope import Answer, Message, Refusal, done, invalid, refuse

if TYPE_CHECKING:
    import sqlite3

    from sessionkit_dyn.sandbox.call import Call, Routes

VERSION = "3.7.13"

#: Bytes of a token; 126 of them are 168 characters of base64.
_TOKEN_BYTES = 126


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may do, and for how long.

    Attributes:
        requests_per_minute: Of a whole account; 0 is no limit.
        idle_logout: Seconds after which an unused session ends.
    """

    requests_per_minute: int = 300
    idle_logout: int = 3600


def routes() -> Routes:
    """Resource -> method -> handler."""
    return {
        "Session": {"POST": sign_in, "GET": check, "PUT": check, "DELETE": sign_out},
        "Password": {"PUT": change_password},
    }


def sign_in(call: Call) -> Answer:
    """A token for a customer's user."""
    customer, user, password = (str(call.need(name)) for name in ("customer_name", "user_name", "password"))
    known = tables.one(call.db, "SELECT * FROM dyn_user WHERE customer = ? AND user_name = ?", customer, user)
    if known is None or not hmac.compare_digest(known["password"].encode(), password.encode()):
        raise _login_failed(
            "login: Credentials you entered did not match those in our database. Please try again"
        )
    if known["status"] != "active":
        raise _login_failed("login: This user is blocked")
    token = base64.b64encode(secrets.token_bytes(_TOKEN_BYTES)).decode()
    tables.insert(
        call.db, "session", token=token, customer=customer, user_name=user, ip=call.ip, used=call.clock.time()
    )
    return done({"token": token, "version": VERSION}, "login: Login successful")


def _login_failed(info: str) -> Refusal:
    return refuse("INVALID_DATA", info, "login: Login failed")


def check(_: Call) -> Answer:
    """Whether the session is alive; asking keeps it so."""
    return done(None, "isalive: User session is still active")


def sign_out(call: Call) -> Answer:
    """The end of the session, and of what it changed and did not publish."""
    end(call.db, call.token)
    return done(None, "logout: Logout successful")


def end(db: sqlite3.Connection, token: str) -> None:
    """Forget a session."""
    changes.forget_session(db, token)
    db.execute("DELETE FROM dyn_session WHERE token = ?", [token])


def change_password(call: Call) -> Answer:
    """Another password for the signed-in user."""
    password = str(call.need("password"))
    if len(password) < 4:
        raise invalid("password", "At least 4 characters expected", "update: Password not changed")
    call.db.execute(
        "UPDATE dyn_user SET password = ? WHERE customer = ? AND user_name = ?",
        [password, call.customer, call.user],
    )
    return done(None, "update: Password changed")


def identify(call: Call, limits: Limits) -> None:
    """Find out whose call it is, by its token; the session counts as used.

    Raises:
        Refusal: for a token that is missing, unknown, expired, idle for too long or another machine's.
    """
    if not call.token:
        raise refuse(
            "INVALID_DATA", "token: The Auth-Token HTTP header must be set to make this call", source="API-A"
        )
    row = tables.one(call.db, "SELECT * FROM dyn_session WHERE token = ?", call.token)
    if row is None:
        raise _bad_token(http=400)
    if row["state"] != "active":
        end(call.db, call.token)
        raise _bad_token(http=401 if row["state"] == "revoked" else 400)
    now = call.clock.time()
    if now - row["used"] > limits.idle_logout:
        end(call.db, call.token)
        raise refuse(
            "INVALID_DATA", "login: inactivity logout", "login: There was a problem with your credentials"
        )
    if row["ip"] != call.ip:
        raise refuse(
            "INVALID_DATA",
            "login: IP address does not match current session",
            "login: There was a problem with your credentials",
        )
    call.db.execute("UPDATE dyn_session SET used = ? WHERE token = ?", [now, call.token])
    call.customer, call.user = row["customer"], row["user_name"]


def _bad_token(http: int) -> Refusal:
    msgs = (
        Message("login: Bad or expired credentials", "INVALID_DATA"),
        Message("login: There was a problem with your credentials"),
    )
    return Refusal(Answer({}, msgs, "failure", http))


def spoil(db: sqlite3.Connection, state: str, customer: str, user: str) -> None:
    """Let the tokens of a customer's user be refused from now on; "%" is all of them."""
    db.execute(
        "UPDATE dyn_session SET state = ? WHERE customer LIKE ? AND user_name LIKE ?", [state, customer, user]
    )
