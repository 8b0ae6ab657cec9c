"""The shortest history with which something goes wrong, for the models' tests."""

import random
import re
from functools import partial


def broken_in(made, steps):
    """Which promise is broken when a world takes the steps and ends, in a few words; "" when none is."""
    try:
        for step in steps:
            made.step(*step)
        made.finish()
    except AssertionError as error:
        return str(error) or repr(error)
    return ""


def search(seeds, draw, broken_promise):
    """What is wrong with the first random world in which something is, in short; "" when nothing is.

    Args:
        seeds: Of which worlds.
        draw: Gives, for a `random.Random`, a world's options and its steps.
        broken_promise: Which promise is broken by steps, with these options.
    """
    for seed in seeds:
        kind, steps = draw(random.Random(seed))
        broken = partial(broken_promise, **kind)
        if wrong := broken(steps):
            steps = shortest(steps, partial(_breaks_alike, broken, _sort_of(wrong)))
            return told(seed, kind, steps, broken(steps))
    return ""


def _breaks_alike(broken, sort, steps):
    return _sort_of(broken(steps)) == sort


def _sort_of(broken):
    """Whether there is one, and which without names and numbers: another of the same sort is as good."""
    return bool(broken), re.sub(r"\S*\d\S*|\b(ann|bob|cat|eve|[ab])\b", "", broken)[:60]


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


def search_worlds(seeds, draw, keys, broken):
    """What is wrong with the first random world in which something is, as `plainest` has it; or "".

    Args:
        seeds: Of which worlds.
        draw: Gives the world for a `random.Random`.
        keys: See `plainest`.
        broken: What is wrong with a world.
    """
    for seed in seeds:
        world = draw(random.Random(seed))
        if broken(world):
            world = plainest(world, keys, broken)
            return f"seed {seed}, {world}: {broken(world)}"
    return ""


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
