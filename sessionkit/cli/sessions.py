"""Commands that open sessions: `backends`, `profiles`, `login`, `logout`, `call`."""

from __future__ import annotations

import inspect
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from sessionkit import backends, config
from sessionkit.cli import output
from sessionkit.errors import ConfigurationError, SessionKitError
from sessionkit.http import HttpEngine
from sessionkit.paths import expanded, shown
from sessionkit.tokens import FileTokenStore

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKENS = "~/.config/sessionkit/tokens.json"

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def _profiles(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """What a shell may complete to a profile's name; none when the file cannot be read."""
    with suppress(SessionKitError):
        return [name for name in config.load_profiles() if name.startswith(begun)]
    return []


def _targets(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    return [
        *_profiles(context, parameter, begun),
        *(name for name in backends.installed() if name.startswith(begun)),
    ]


def _methods(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    known = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    return [name for name in known if name.startswith(begun.upper())]


target_argument = click.argument("target", shell_complete=_targets)


def token_store() -> FileTokenStore:
    """Where this command keeps tokens between its runs (mode 0600)."""
    return FileTokenStore(expanded(TOKENS))


def open_session(target: str) -> HttpEngine:
    """A session of a profile, or of a backend that finds its arguments in the environment.

    Its token is read from and kept in the user's token file, so that one login serves many calls.

    Raises:
        ConfigurationError: there is neither a profile nor a backend of that name, or it has no calls.
    """
    if target in config.load_profiles():
        profile = config.profile(target)
        backend, arguments = backends.load(profile.backend), profile.arguments()
    elif target in backends.installed():
        backend, arguments = backends.load(target), {}
    else:
        raise ConfigurationError(
            f"{target!r} is neither a profile nor a backend",
            hint="sessionkit profiles lists the former, sessionkit backends the latter",
        )
    if not issubclass(backend, HttpEngine):
        raise ConfigurationError(f"{backend.__name__} has no service to call over HTTP")
    # A backend that signs in when it is made can be told to wait for the first call.
    lazily = {"auto_auth": False} if "auto_auth" in inspect.signature(backend.__init__).parameters else {}
    try:
        session: HttpEngine = backend.detached(**{"token_store": token_store(), **lazily, **arguments})
    except TypeError as error:
        raise ConfigurationError(
            f"{backend.__name__} cannot be opened: {error}",
            hint=f"arguments are {inspect.signature(backend)}; give them in a profile",
        ) from error
    return session


@click.command("backends")
@json_option
def backends_command(as_json: bool) -> None:
    """List the installed backends: what can stand behind `backend:` in a profile.

    \b
    Examples:
      sessionkit backends
      sessionkit backends --json | jq -r '.[].name'
    """
    found = [
        {"name": name, "session": point.value, "package": point.dist.name if point.dist else ""}
        for name, point in backends.installed().items()
    ]
    if as_json:
        output.as_json(found)
    else:
        output.as_table(("backend", "session", "package"), [list(row.values()) for row in found])


@click.command()
@click.argument("name", required=False, shell_complete=_profiles)
@json_option
def profiles(name: str | None, as_json: bool) -> None:
    """List profiles with every value and where it came from; secrets are hidden.

    \b
    A profile is a named session in sessions.yaml:
      acme-dns:
        backend: dyn
        customer: acme
        username: ann
        password: {env: DYN_PASSWORD}

    \b
    Examples:
      sessionkit profiles
      sessionkit profiles acme-dns --json
    """
    wanted = {name: config.profile(name)} if name else config.load_profiles()
    rows = [row for profile in wanted.values() for row in _profile_rows(profile)]
    if as_json:
        output.as_json(
            [dict(zip(("profile", "argument", "value", "origin"), row, strict=True)) for row in rows]
        )
        return
    if not rows:
        looked = ", ".join(shown(path) for path in config.profile_paths())
        click.echo(f"There are no profiles yet. They are looked for in {looked}.")
        return
    output.as_table(("profile", "argument", "value", "from"), rows)


def _profile_rows(profile: config.Profile) -> Iterable[tuple[str, str, str, str]]:
    yield profile.name, "backend", profile.backend, profile.origin
    for argument in profile.entries:
        try:
            value = profile.value(argument)
        except SessionKitError as error:
            yield profile.name, argument, f"(missing: {error.message})", profile.origin
        else:
            yield profile.name, argument, value.shown, value.origin


@click.command()
@target_argument
@json_option
def login(target: str, as_json: bool) -> None:
    """Sign in to TARGET (a profile or backend) and keep the token for later calls.

    \b
    Examples:
      sessionkit login acme-dns
      sessionkit login helios          credentials from the environment
    """
    with open_session(target) as session:
        source = getattr(session.auth, "source", None)
        if source is None:
            raise ConfigurationError(f"{target} signs every call by itself; there is nothing to log in to")
        token = source.get()
    about = {"target": target, "expires_at": token.expires_at, "kept_in": shown(expanded(TOKENS))}
    if as_json:
        output.as_json(about)
    else:
        ends = "until the service ends it" if token.expires_at is None else f"until {_when(token.expires_at)}"
        click.echo(
            f"Signed in to {target} {ends}; the token is in {about['kept_in']} (readable by you only)."
        )


@click.command()
@target_argument
@json_option
def logout(target: str, as_json: bool) -> None:
    """Drop the token that `login` kept for TARGET, and end its session at the service where it has one.

    \b
    Examples:
      sessionkit logout acme-dns
      sessionkit logout helios --json
    """
    with open_session(target) as session:
        source = getattr(session.auth, "source", None)
        kept = source is not None and token_store().load(source.key) is not None
        if source is not None and kept:
            source.get()  # from the file: it is what is given back
            session.sign_out()
    if as_json:
        output.as_json({"target": target, "signed_out": kept})
    else:
        click.echo(f"Signed out of {target}." if kept else f"There is no kept token of {target}.")


@click.command()
@target_argument
@click.argument("method", shell_complete=_methods)
@click.argument("uri")
@click.argument("args", nargs=-1)
@click.option("--timeout", type=float, help="Seconds the call may take as a whole.")
@json_option
def call(
    target: str, method: str, uri: str, args: tuple[str, ...], timeout: float | None, as_json: bool
) -> None:
    """Make one call as TARGET (a profile or backend) and show its result.

    ARGS are name=value pairs, name:=json pairs, or one JSON document.

    \b
    Examples:
      sessionkit call acme-dns GET /Zone/ detail=Y
      sessionkit call acme-dns POST /ARecord/example.com/www.example.com/ 'rdata:={"address": "192.0.2.1"}'
      sessionkit call acme-dns PUT /Zone/example.com '{"publish": true}' --json
    """
    with open_session(target) as session:
        result = session.request(method, uri, parse_args(args), timeout=timeout)
    if as_json:
        output.as_json(result)
    elif result is None:
        click.echo("done (the service answered without content)")
    else:
        output.show(result)


def parse_args(args: tuple[str, ...]) -> Any:
    """A call's arguments from the command line.

    >>> parse_args(("detail=Y", "ttl:=30"))
    {'detail': 'Y', 'ttl': 30}

    Raises:
        BadParameter: naming the one that is neither a pair nor JSON.
    """
    if not args:
        return None
    if len(args) == 1 and args[0].lstrip()[:1] in {"{", "["}:
        return _json(args[0])
    return dict(_pair(text) for text in args)


def _pair(text: str) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not mark or not name.rstrip(":"):
        raise click.BadParameter(f"{text!r} is neither name=value, name:=json nor a JSON document")
    return (name[:-1], _json(value)) if name.endswith(":") else (name, value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not JSON: {error}") from error


def _when(at: float) -> str:
    from datetime import datetime, timezone  # noqa: PLC0415 - only here

    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
