"""Random schedules for `token_model`, and the shortest part of one that breaks a promise."""

from functools import partial

import shrinking
from token_model import KEYS, THREADS, world

WEIGHTS = {
    "run": 60,
    "hurry": 3,
    "tick": 10,
    "nudge": 4,
    "advance": 2,
    "plan": 3,
    "revoke": 2,
    "forget": 1,
    "kill": 1,
    "damage": 1,
    "full": 0.5,
    "block": 0.5,
    "space": 0.5,
    "down": 0.5,
    "up": 0.5,
    "jump": 0.3,
}
CONTENTS = (None, b"", b'{"version": 1, "tokens": {"', b"[]", b"\0" * 64)


def schedule(rng, length):
    """A random list of steps; often one without misfortunes, after which much is forgiven."""
    names = rng.choice([list(WEIGHTS), ["run", "tick", "nudge", "revoke"]])
    steps = []
    for name in rng.choices(names, [WEIGHTS[name] for name in names], k=length):
        process = rng.choice(list(KEYS))
        if name == "run":
            who = rng.choice([*THREADS, *(f"{process}-{what}" for what in ("token", "lock", "out"))])
            steps.append((name, who, rng.choice([1, 1, 2, 3, 5, 8, 13])))
        elif name == "hurry":
            steps.append(("run", rng.choice(THREADS), 1, rng.choice([1.5, 5.0, 12.0])))
        elif name == "plan":
            steps.append((name, rng.choice(["error", "error", "slow", "late", "deaf"])))
        elif name in {"nudge", "advance"}:
            steps.append(("advance", rng.choice([0.25, 0.5] if name == "nudge" else [2.0, 11.0, 30.0, 90.0])))
        elif name == "jump":
            steps.append((name, rng.choice([-3600.0, -20.0, 20.0, 3600.0])))
        elif name == "damage":
            steps.append((name, rng.choice(CONTENTS)))
        elif name in {"forget", "kill"}:
            steps.append((name, process))
        else:
            steps.append((name,))
    return steps


def options(rng):
    """What kind of world."""
    return {
        "kind": rng.choice(["memory", "memory", "file", "file", "redis"]),
        "lifetime": rng.choice([40.0, 100.0, 3600.0]),
        "skew": rng.choice([0.0, 0.0, -15.0, 15.0]),
        "exclusive": rng.random() < 0.3,
    }


def broken_promise(folder, server, steps, **kind):
    """Which promise is broken when the steps are taken, in a few words; "" when none is."""
    with world(folder, server, **kind) as made:
        return shrinking.broken_in(made, steps)


def search(folder, server, seeds, length=80):
    """See `shrinking.search`."""
    broken = partial(broken_promise, folder, server)
    return shrinking.search(seeds, lambda rng: (options(rng), schedule(rng, length)), broken)
