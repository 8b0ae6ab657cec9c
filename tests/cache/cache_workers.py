"""What the tests run in other processes."""

from __future__ import annotations

import os
import subprocess
import sys

from sessionkit.cache import FileCache


def start(function, *args):
    """Run one of the functions below in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, function, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """What a process that must succeed printed."""
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return out


def write_for_ever(path):
    """Overwrite two keys with values that tell when they are torn, and say when that has begun."""
    cache = FileCache(path)
    turn = 0
    while True:
        turn += 1
        for key in ("a", "b"):
            cache.set(key, bytes([turn % 256]) * 50_000)
        cache.set(f"n{turn % 100}", "x")
        if turn == 3:
            sys.stdout.write("writing\n")
            sys.stdout.flush()


def count_up(path, name, times):
    """Write `times` keys of one's own, and read each back."""
    with FileCache(path, timeout=60) as cache:
        for turn in range(int(times)):
            cache.set(f"{name}:{turn}", f"{name}:{turn}" * 20)
            if cache.get(f"{name}:{turn}") != f"{name}:{turn}" * 20:
                os._exit(3)
            cache.set("shared", name)
            cache.keys()


def fill(path, limit):
    """Write until the file may not grow any more; then everything written must still be there."""
    import resource

    from sessionkit.errors import CacheError

    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    written = 0
    with FileCache(path) as cache:
        while written < 10_000:
            try:
                cache.set(f"k{written}", bytes([written % 256]) * 10_000)
            except CacheError:
                break
            written += 1
        for turn in range(written):
            assert cache.get(f"k{turn}") == bytes([turn % 256]) * 10_000
        assert len(cache.keys()) == written
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
