"""What the tests run in other processes."""

from __future__ import annotations

import os
import sys

from sessionkit.cache import FileCache


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
        try:
            for turn in range(10_000):
                cache.set(f"k{turn}", bytes([turn % 256]) * 10_000)
                written += 1
        except CacheError as error:
            assert "cannot be used" in str(error)
        assert 0 < written < 10_000
        for turn in range(written):
            assert cache.get(f"k{turn}") == bytes([turn % 256]) * 10_000
        try:
            cache.get(f"k{written}")
        except KeyError:
            sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
