import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from files_service import Files, FilesService, content

from sessionkit.http import RetryPolicy
from sessionkit.testing import ManualClock
from sessionkit.transfer import Download


@pytest.fixture
def sandbox_options():
    return {"services": [FilesService]}


@pytest.fixture
def service(sandbox):
    return sandbox.service("files")


@pytest.fixture
def session(sandbox):
    """A session that waits for nothing between its attempts, and 5 s for an answer."""
    retry = RetryPolicy(base=0)
    with Files.detached(f"{sandbox.url}/files", timeout=5, retry=retry, proxies=False) as opened:
        yield opened


@pytest.fixture
def clock():
    """For the transfer itself: its waits pass at once."""
    return ManualClock()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def item(folder):
    def item(name, **options):
        return Download(f"/{name}", folder / name, **options)

    return item


@pytest.fixture
def complete(folder):
    """Check that the folder holds these files, whole, and nothing else."""

    def complete(*names):
        assert sorted(path.name for path in folder.iterdir()) == sorted(names)
        for name in names:
            assert (folder / name).read_bytes() == content(name), name

    return complete
