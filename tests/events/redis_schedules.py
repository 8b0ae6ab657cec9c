"""Random histories for `redis_model`, and the search for one with which a promise is broken."""

import shrinking
from redis_double import REFUSALS
from redis_model import CALM, KEYS, QUERIES, world

WEIGHTS = {
    "publish": 12,
    "read": 20,
    "work": 12,
    "connect": 10,
    "fault": 3,
    "cut": 2,
    "kill": 2,
    "leave": 1,
    "crash": 2,
    "refuse": 1,
    "advance": 4,
    "trim": 0.3,
    "delete": 0.3,
    "exchange": 0.3,
}
COMMANDS = ["xadd", "xread", "xreadgroup", "xack", "xrange", "xrevrange", "xgroup_create", "xautoclaim"]


def schedule(rng, length):
    """A random list of steps; sometimes nothing goes wrong."""
    steps = []
    weights = {name: WEIGHTS[name] for name in CALM} if rng.random() < 0.15 else WEIGHTS
    for name in rng.choices(list(weights), list(weights.values()), k=length):
        if name == "fault":
            steps.append(
                (name, rng.choice(COMMANDS), rng.choice(["before", "after", rng.choice([*REFUSALS])]))
            )
            if rng.random() < 0.1:
                steps[-1] = (name, "xadd", "interrupt")
        elif name == "crash":
            steps.append((name, rng.choice([0, 1, 2, 5, 20]), rng.choice([0, 0, 1, 30])))
        elif name == "refuse":
            steps.append((name, rng.choice([*REFUSALS, "", "", ""])))
        elif name == "advance":
            steps.append((name, rng.choice([0.001, 0.5, 2, 2, 4, 8, 61])))
        elif name == "trim":
            steps.append((name, rng.choice([0, 1, 3])))
        elif name == "delete":
            steps.append((name, rng.choice(KEYS)))
        elif name == "exchange":
            steps.append((name, rng.choice([0, 0, 1000])))
        else:
            target = [rng.choice([*QUERIES])] if name == "publish" and rng.random() < 0.3 else []
            steps += [(name, rng.choice([*QUERIES]), *target)] * rng.choice([1, 1, 2, 4])
    return steps


def options(rng):
    """What kind of world."""
    return {
        "limit": rng.choice([1000, 1000, 3]),
        "maxlen": rng.choice([1000, 1000, 4]),
        "fresh": rng.random() < 0.3,
    }


def broken_promise(steps, **kind):
    """Which promise is broken when the steps are taken, in a few words; "" when none is."""
    with world(**kind) as made:
        return shrinking.broken_in(made, steps)


def search(seeds, length=60):
    """See `shrinking.search`."""
    return shrinking.search(seeds, lambda rng: (options(rng), schedule(rng, length)), broken_promise)
