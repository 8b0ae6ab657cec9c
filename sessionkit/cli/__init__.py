"""The `sessionkit` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the console script's entry point."""
    try:
        from sessionkit.cli.app import run  # noqa: PLC0415 - what it needs is an extra
    except ImportError as error:
        sys.exit(f"the sessionkit command needs {error.name}: pip install 'sessionkit[cli]'")
    sys.exit(run(sys.argv[1:]))
