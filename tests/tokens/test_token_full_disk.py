import subprocess

import pytest

from sessionkit.tokens import FileTokenStore, Token


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("may not mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_on_a_disk_that_is_really_full_the_old_token_stays_and_the_new_one_is_used(full_disk, caplog):
    path = full_disk / "tokens.json"
    FileTokenStore(path).save("k", Token("the old one"))
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space"):
        (full_disk / "filler").write_bytes(bytes(1 << 20))
    FileTokenStore(path).save("k", Token("the new one, which is longer than a page", extra={"x": "y" * 9000}))
    assert path.read_bytes() == before
    assert FileTokenStore(path).load("k") == Token("the old one")
    assert "No space left" in caplog.text
    assert {each.name for each in full_disk.iterdir()} - {"tokens.json.lock"} == {"filler", "tokens.json"}
    (full_disk / "filler").unlink()
    FileTokenStore(path).save("k", Token("the newest"))
    assert FileTokenStore(path).load("k") == Token("the newest")
