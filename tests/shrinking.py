"""The shortest history with which something goes wrong, for the models' tests."""

from functools import partial


def shortest(steps, still_wrong):
    """The steps of which none can be left out; `still_wrong(steps)` tells whether what is left is enough."""
    size = len(steps)
    while size:
        kept, start = steps, 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            if still_wrong(fewer):
                kept = fewer
            else:
                start += size
        size = size if size == 1 and len(kept) < len(steps) else size // 2
        steps = kept
    return steps


def plainest(world, keys, is_wrong):
    """A world (a dictionary) whose lists under `keys` are the shortest with which something is wrong."""
    for key in keys:
        world = {**world, key: shortest(world[key], partial(_is_wrong_with, world, key, is_wrong))}
    return world


def _is_wrong_with(world, key, is_wrong, some):
    return is_wrong({**world, key: some})


def told(seed, kind, steps, broken):
    """What is wrong, and the steps in a form to be put into a test."""
    lines = "\n".join(f"    {step!r}," for step in steps)
    return f"seed {seed}, {kind}: {broken}\n{lines}"
