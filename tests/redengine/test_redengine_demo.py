"""`sessionkit demo redengine`: the small day has all that it promises."""

from __future__ import annotations

import io

from rich.console import Console

from sessionkit.cli.demo import Stage
from sessionkit.sandbox import Sandbox
from sessionkit_redengine.demo import demo


def test_the_day_calls_the_other_backends_hears_an_event_and_tries_again(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    console = Console(record=True, file=io.StringIO(), width=100)
    with Sandbox() as sandbox:
        for name, value in sandbox.env.items():
            monkeypatch.setenv(name, value)
        stage = Stage(sandbox, console)
        demo(stage)
    text = console.export_text()
    assert len(stage.steps) == 4  # one that fails raises
    assert "22 runs: 21 success, 1 fail" in " ".join(text.split())
    rows = {line.split("│")[1].strip(): line.split("│")[2] for line in text.splitlines() if "│" in line}
    for backend in ("dyn", "helios", "review"):
        assert "█" in rows[f"look at {backend}"]
    assert rows["backup"].index("▓") < rows["backup"].index("█")  # it failed, and was tried again
    assert rows["review"].index("█") < rows["publish"].index("█")  # whose event started it
