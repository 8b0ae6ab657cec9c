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
def sandbox(host: str, port: int, db: str, data: tuple[str, ...], faults: str | None) -> None:
    r"""Serve doubles of every backend's service, with demo data, until Ctrl-C.

    The first line is JSON: the server's URL, and the environment variables by which the vendors' own clients
    and sessionkit's backends find it.

    \b
    Examples:
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
    sandbox_main(host, port, db, data, faults)
