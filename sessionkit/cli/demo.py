"""`sessionkit demo`: every backend's day of work (entry points of `sessionkit.demo`), on the sandbox."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.markup import escape

from sessionkit import backends
from sessionkit.cli import output
from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.sandbox import Sandbox

GROUP: Final = "sessionkit.demo"
_HOMES: Final = ("HOME", "USERPROFILE", "APPDATA", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")


class Stage:
    """What a backend's demo plays on: the sandbox, and steps that a person can follow.

        def demo(stage):
            with stage.step("list the zones") as said:
                said.append(f"{len(zones)} zones")

    Attributes:
        sandbox: The running sandbox; its variables are in the environment.
        console: rich's console, for tables and progress.
    """

    def __init__(self, sandbox: Sandbox, console: Console) -> None:
        self.sandbox = sandbox
        self.console = console
        self.steps: list[dict[str, Any]] = []

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """One step: append to what it yields what came of it."""
        begun = time.perf_counter()
        results: list[str] = []
        try:
            yield results
        except Exception:
            self.console.print(f"  [red]✗[/] {escape(title)}")
            raise
        took = (time.perf_counter() - begun) * 1000
        self.steps.append({"step": title, "results": results, "milliseconds": round(took)})
        came = f": {escape('; '.join(results))}" if results else ""
        self.console.print(f"  [green]✓[/] {escape(title)}{came} [dim]({took:.0f} ms)[/]", highlight=False)


def _demos(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    return [name for name in backends.installed(GROUP) if name.startswith(begun)]


@click.command()
@click.argument("names", nargs=-1, shell_complete=_demos)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def demo(names: tuple[str, ...], as_json: bool) -> None:
    """Do a day's work through real sessions, on a sandbox of its own: no account, no network.

    NAMES choose backends; without any, all that have a demo play.

    \b
    Examples:
      sessionkit demo
      sessionkit demo dyn review
      sessionkit demo dyn --json
    """
    known = backends.installed(GROUP)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConfigurationError(f"no demo is called {unknown[0]!r}", hint=f"there are: {', '.join(known)}")
    from sessionkit.sandbox import Sandbox  # noqa: PLC0415 - what it needs is an extra

    console = Console(quiet=as_json)
    begun = time.perf_counter()
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="sessionkit-home-") as home:
        console.print(f"The sandbox listens at [bold]{sandbox.url}[/].")
        # Tokens and caches of a sandbox are of no use afterwards; nor shall the user's own profiles matter.
        os.environ.update(sandbox.env, **dict.fromkeys(_HOMES, home))
        stage = Stage(sandbox, console)
        for name in names or known:
            console.rule(f"[bold]{name}", align="left")
            done = len(stage.steps)
            known[name].load()(stage)
            for step in stage.steps[done:]:
                step["backend"] = name
    if as_json:
        output.as_json(stage.steps)
    console.print(
        f"\nAll of it worked, in {time.perf_counter() - begun:.1f} s. Now try: [bold]sessionkit --help[/]"
    )
