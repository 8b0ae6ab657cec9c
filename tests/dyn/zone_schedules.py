"""Random schedules for `zone_model`, and the shortest part of one that breaks a promise."""

import shrinking
from zone_model import PEOPLE, world

WEIGHTS = {
    "do": 20,
    "go": 60,
    "tick": 8,
    "plan": 6,
    "end": 2,
    "job": 2,
    "fault": 2,
    "advance": 1,
    "close": 1,
}
PLANS = [
    "cut before",
    "cut after",
    "cut after",
    "refused",
    "503",
    "502 after",
    "throttle",
    "slow after",
    "slow before",
]
ACTIONS = [
    "add",
    "add",
    "add",
    "add",
    "publish",
    "publish",
    "publish",
    "update",
    "remove",
    "remove",
    "replace",
    "read",
    "refresh",
    "changes",
    "discard",
    "redo",
    "redo",
    "forget",
]


def schedule(rng, length):
    names = rng.choice(
        [
            list(WEIGHTS),
            list(WEIGHTS),
            ["do", "go", "tick", "end"],
            ["do", "go", "plan", "tick"],
            ["do", "go", "job", "tick", "end"],
        ]
    )
    people = rng.choice([PEOPLE, PEOPLE[:2], PEOPLE[:1]])
    steps = []
    for name in rng.choices(names, [WEIGHTS[name] for name in names], k=length):
        if name == "do":
            steps.append((name, rng.choice(people), *action(rng)))
        elif name == "go":
            steps.append((name, rng.choice(people), rng.choice([1, 2, 3, 5, 8, 13])))
        elif name == "plan":
            steps.append((name, rng.choice(PLANS)))
        elif name == "end":
            steps.append((name, rng.choice(["ann", "ann", "bob"]), rng.choice(["expired", "revoked"])))
        elif name == "job":
            steps.append(
                (
                    name,
                    rng.choice(["redirect", "incomplete"]),
                    rng.choice([0, 1, 2]),
                    rng.choice([0.0, 0.0, 300.0]),
                )
            )
        elif name == "close":
            steps.append((name, rng.choice(["ann", "ann", "bob"])))
        elif name == "fault":
            steps.append((name, rng.choice(["block_zone", "running", "rate_limit", "array_error"])))
        elif name == "advance":
            steps.append((name, rng.choice([2.0, 50.0, 4000.0])))
        else:
            steps.append((name,))
    return steps


def action(rng):
    name = rng.choice(ACTIONS)
    number = rng.randrange(1, 9)
    if name == "add":
        return name, number, rng.choice([300, 300, 60])
    if name == "update":
        return name, number, rng.randrange(1, 9)
    if name == "replace":
        return name, *rng.sample(range(1, 9), rng.choice([0, 1, 2, 3]))
    return (name, number) if name == "remove" else (name,)


def broken_promise(steps):
    """Which promise is broken when the steps are taken, in a few words; "" when none is."""
    with world() as made:
        return shrinking.broken_in(made, steps)


def search(seeds, length=60):
    """See `shrinking.search`."""
    return shrinking.search(seeds, lambda rng: ({}, schedule(rng, length)), broken_promise)
