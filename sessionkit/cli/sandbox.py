"""`sessionkit sandbox`."""

from __future__ import annotations

import click

from sessionkit.errors import ConfigurationError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option("--db", default=":memory:", show_default=True, help="SQLite file that keeps the data.")
@click.option(
    "--data", multiple=True, help="YAML file to load over the demo data, or instead (`replace: true`)."
)
@click.option("--faults", help="YAML file of faults: latency, resets, throttling, wrong answers ...")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def sandbox(
    context: click.Context,
    host: str,
    port: int,
    db: str,
    data: tuple[str, ...],
    faults: str | None,
    command: tuple[str, ...],
) -> None:
    """Serve doubles of every backend's service, with demo data, until Ctrl-C.

    The first line is JSON: the server's URL, and the environment variables by which the vendors' own clients
    and sessionkit's backends find it. With a COMMAND after --, that is run instead, with these variables set;
    the sandbox ends with it, and the exit status is its.

    \b
    Examples:
      sessionkit sandbox -- python my_script.py
      sessionkit sandbox --faults bad-day.yaml -- pytest -q
      sessionkit sandbox -- sessionkit call dyn GET /Zone/
      sessionkit sandbox --port 8000
      sessionkit sandbox --db studio.sqlite --data studio.yaml
      curl -X POST http://127.0.0.1:8000/_sandbox/faults -d '{"kind": "status", "status": 503, "times": 2}'
      curl http://127.0.0.1:8000/_sandbox/requests
    """
    try:
        from sessionkit.sandbox.command import sandbox_main  # noqa: PLC0415 - what it needs is an extra
    except ImportError as error:
        raise ConfigurationError(
            f"the sandbox needs {error.name}", hint="pip install 'sessionkit[sandbox]'"
        ) from error
    context.exit(sandbox_main(host, port, db, data, faults, program=command))
