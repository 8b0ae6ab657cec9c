"""The command group: our own commands, and those that backends bring (`sessionkit.commands`)."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import click

from sessionkit import backends, secrets
from sessionkit.cli import output
from sessionkit.errors import SessionKitError

GROUP: Final = "sessionkit.commands"
# Each command's module is imported when it is used: `sessionkit --help` answers at once.
OWN: Final = {
    "backends": ("sessionkit.cli.sessions:backends_command", "list the installed backends"),
    "call": ("sessionkit.cli.sessions:call", "make one call and show its result"),
    "completion": ("sessionkit.cli.completion:completion", "print a shell's completion script"),
    "demo": ("sessionkit.cli.demo:demo", "a day's work through real sessions, on the sandbox"),
    "login": ("sessionkit.cli.sessions:login", "sign in and keep the token"),
    "logout": ("sessionkit.cli.sessions:logout", "give the kept token back"),
    "profiles": ("sessionkit.cli.sessions:profiles", "list profiles, each value with its origin"),
    "sandbox": ("sessionkit.cli.sandbox:sandbox", "serve doubles of every backend's service"),
}

EPILOG = """\b
Examples:
  sessionkit demo                                   see it work, with no account
  sessionkit sandbox                                a local server to try things on
  sessionkit profiles                               what sessions.yaml and the environment say
  sessionkit call acme-dns GET /Zone/ detail=Y      one call, as a table
  sessionkit call acme-dns GET /Zone/ --json | jq   one call, for a program
"""


class Commands(click.Group):
    """Commands by name, imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        """Our own, then the backends'."""
        return [*OWN, *(name for name in backends.installed(GROUP) if name not in OWN)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module."""
        if cmd_name in OWN:
            module, _, name = OWN[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        point = backends.installed(GROUP).get(cmd_name)
        return None if point is None else point.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        rows = [(name, summary) for name, (_, summary) in OWN.items()]
        rows += [
            (name, f"commands of {point.value.partition('.')[0]}")
            for name, point in backends.installed(GROUP).items()
            if name not in OWN
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sessionkit")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens, secrets removed.")
def cli(verbose: bool) -> None:
    """One session layer for every service a Python tool talks to."""
    secrets.install()
    if verbose:
        import logging  # noqa: PLC0415 - only then

        logging.basicConfig(level=logging.DEBUG, format="%(relativeCreated)7.0f ms %(name)s: %(message)s")


def run(arguments: list[str]) -> Any:
    """Run the command line and return its exit status; errors of ours are shown without a traceback."""
    try:
        return cli.main(args=arguments, prog_name="sessionkit", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SessionKitError as error:
        output.complain(error)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 141
