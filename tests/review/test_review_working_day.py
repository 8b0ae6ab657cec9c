"""A long working day of the vendor's own client, ftrack-python-api 3.1.0 unchanged, and of ours.

Both run the same script, see the same, and afterwards each reads every row and file that the other left.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sessionkit.sandbox import Sandbox
from sessionkit_review.sandbox import ReviewService

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
OTHER = {"ftrack": "ours", "ours": "ftrack"}


@pytest.fixture(scope="module")
def pythons():
    """The Python of each client."""
    made = subprocess.run(
        [ROOT / ".ci/env", "ftrack"], check=True, capture_output=True, text=True, timeout=110
    )
    return {"ftrack": made.stdout.strip(), "ours": sys.executable}


@pytest.fixture(scope="module", params=["ftrack", "ours"])
def everything(request, pythons, tmp_path_factory):
    """What a client saw of its day, and what both read at the end of it."""
    name, folder = request.param, tmp_path_factory.mktemp(f"day-{request.param}")
    Image.linear_gradient("L").resize((640, 360)).save(folder / "picture.png")
    with Sandbox(services=[ReviewService]) as sandbox:
        env = {"HOME": str(folder), "PATH": os.defpath, "NO_PROXY": "*", **sandbox.env}
        seen, others = work(name, pythons, folder, env)
        assert [entry.error for entry in sandbox.requests() if entry.error] == []
    return {"seen": seen, "own": json.loads((folder / "rows.json").read_text()), "others": others}


def work(name, pythons, folder, env):
    """Have one client work, and the other read all of it before the first tidies up."""
    other, errors = OTHER[name], folder / "errors.txt"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [pythons[name], HERE / "review_day.py", name],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as worker,
    ):
        try:
            assert worker.stdout.readline() == "ready\n", errors.read_text()[-4000:]
            read = subprocess.run(
                [pythons[other], HERE / "review_rows.py", other],
                env=env,
                capture_output=True,
                text=True,
                timeout=110,
                check=False,
            )
            assert read.returncode == 0, read.stderr[-4000:]
            printed, _ = worker.communicate("\n", timeout=110)
            assert worker.returncode == 0, errors.read_text()[-4000:]
        finally:
            worker.kill()
    return json.loads(printed), json.loads(read.stdout)


@pytest.fixture
def day(everything):
    return everything["seen"]


def test_both_clients_read_the_same_of_everything(everything):
    """Every attribute of every row of every type, and every stored file, byte for byte."""
    own, others = everything["own"], everything["others"]
    different = [
        (name, key, attribute)
        for name, rows in own.items()
        for key, row in rows.items()
        for attribute, value in (row.items() if isinstance(row, dict) else [("", row)])
        if others[name].get(key) is None
        or value != (others[name][key][attribute] if attribute else others[name][key])
    ]
    assert different == []
    assert {name: rows.keys() for name, rows in own.items()} == {
        name: rows.keys() for name, rows in others.items()
    }
    assert sum(map(len, own.values())) > 700
    made = (
        "Appointment AssetVersion AssetVersionLink AssetVersionList ComponentLocation "
        "ContextCustomAttributeValue FileComponent Job JobComponent ListObject Location Metadata Note "
        "NoteLabelLink Project Recipient ReviewSession ReviewSessionInvitee ReviewSessionObject "
        "ReviewSessionObjectStatus SequenceComponent StatusChange Task Timelog Timer files"
    )
    assert [name for name in made.split() if not own[name]] == []
    sizes = [size for size, *_ in own["files"].values()]
    assert 300_000 in sizes
    assert {status for _, _, status, *_ in own["files"].values()} == {200}


def test_a_client_works_a_day(day):
    assert (day["sign_in"]["types"], day["sign_in"]["cached"]) == (98, 98)
    assert ["InvalidCredentialsError" in error for error in day["sign_in"]["refused"]] == [True, True]
    assert day["ask_in_every_form"] == {
        "path": 3,
        "has": 7,
        "any": 15,
        "any_empty": 9,
        "not_any": 0,
        "in": 2,
        "in_quoted": 18,
        "not_in": 6,
        "like": 9,
        "not_like": 6,
        "unquoted": 1,
        "missing_space": 1,
        "none": 42,
        "not_none": 9,
        "true": 8,
        "false": 22,
        "number": 28,
        "date": 42,
        "nested": 18,
        "ordered": 3,
        "cast": 36,
        "subquery": 7,
        "attribute": 6,
        "metadata": 1,
        "ancestors": 12,
        "project": 58,
    }
    paged = day["page_through"]
    assert (paged["paged"], paged["same"], paged["get"], paged["missing"]) == (42, True, True, None)
    assert paged["loaded"] == ["Approved", "sh010", paged["one"]]
    assert paged["link"] == ["lighthouse", "sq010", "sh010", "layout"]
    assert ["ParseError" in error for error in paged["errors"]] == [True, True, True]
    made = day["create_a_project"]
    assert (made["filled"], made["context_type"], made["descendants"]) == (True, "task", 10)
    assert made["seen"] == [True, "First light.", "2031-05-06T00:00:00+00:00"]
    assert (made["parents"], made["changes"]) == (["hq010", "hs000"], ["In progress"])
    assert made["assigned"] == ["mara.lindqvist"]
    assert len(made["shot_statuses"]) == 8
    rules = day["keep_to_the_rules"]
    assert "DuplicateEntryError" in rules["refused"]["duplicate"]
    assert "IntegrityError" in rules["refused"]["unknown"]
    assert "ReviewSessionInvitee.email is required" in rules["refused"]["required"]
    assert rules["late"] is True


def test_what_hangs_on_entities_is_read_and_written(day):
    attributes = day["set_custom_attributes"]
    assert attributes["before"] == {"fstart": 1001, "fend": 1100, "needs_roto": False, "client_note": ""}
    assert attributes["awkward"] == ["hs000"]
    assert attributes["after"] == {
        "fstart": 990,
        "fend": 1100,
        "needs_roto": True,
        "client_note": "Only daylight.",
    }
    assert attributes["metadata"] == {"lens": "50mm", "größe": 'say "no" \\ {1} 線 speed limit 5 mph'}
    assert (attributes["inherited"], attributes["found"]) == (6, ["hs000"])
    assert day["talk_in_notes"] == {
        "content": "Is the horizon meant to tilt?",
        "author": "mara.lindqvist",
        "replies": ["Yes, by two degrees."],
        "reply_of": True,
        "recipients": ["jun.sato"],
        "labels": ["Internal"],
        "on_task": True,
    }
    assert day["keep_time"] == {
        "twice": True,
        "logged": True,
        "timers": 0,
        "timelogs": ["painting"],
    }
    assert day["collect_in_lists"] == {"items": [2], "lists": ["picks"], "system_type": "assetversion"}
    assert day["tidy_up"] == {
        "stored": False,
        "left": {"Task": 0, "AssetVersion": 0, "Note": 0, "ReviewSession": 0, "Component": 0},
    }


def test_files_are_moved_and_reviews_held(day):
    published = day["publish_versions"]
    assert (published["versions"], published["latest"]) == ([1, 2], [False, True])
    assert published["downloaded"] is published["read"] is published["copied"] is True
    assert published["size"] == 300_000
    assert published["available"] == [100.0, 100.0]
    assert published["sequence"] == ["SequenceComponent", 4, ["0001", "0002", "0003"]]
    assert published["uses"] == [True, True]
    encoded = day["encode"]
    assert encoded["status"] == [["done", True], ["done", True], ["failed", True]]
    assert encoded["formats"] == ["image/jpeg", "image/jpeg"]
    assert {"ftrackreview-image", "ftrackreview-mp4", "thumbnail", "main"} <= set(encoded["components"])
    assert encoded["thumbnail"] == ["image/jpeg", True]
    assert encoded["job_components"] == 2
    assert day["set_thumbnails"] == {"set": True, "type": "image/jpeg"}
    assert day["hold_a_review"] == {
        "open": True,
        "objects": 2,
        "statuses": ["approved"],
        "notes": ["Lovely."],
        "sent": True,
        "thumbnail": True,
    }
    rest = day["ask_for_the_rest"]
    assert rest["search"] == ["hs000", "hs001", "hs002"]
    assert (rest["job"], rest["granted"], rest["signed_in"]) == (["Job", "done"], 1, "petra.novak")
    assert rest["rows"] == [
        {"count_id": 1, "status_name": "In progress"},
        {"count_id": 5, "status_name": "Not started"},
    ]
    assert "Invalid action u'make_tea'" in rest["unknown"]


def test_the_studios_storage_is_chosen_and_used(day):
    hidden = ["configuration", "step"]
    location = ["location_description", "location_label", "location_name"]
    assert day["set_up_the_storage"] == {
        "offered": ["ftrack.centralized-storage"],
        "forms": [
            ["configuring", ["configuration", "location_id", "step"]],
            ["configuring", ["configuration", "location_id", "step"]],
            ["configuring", ["configuration", *location, "step"]],
            ["configuring", ["configuration", *location, "step"]],
            [
                "configuring",
                ["configuration", "linux_mount_point", "osx_mount_point", "step", "windows_mount_point"],
            ],
            ["confirm", hidden],
            ["done", hidden],
        ],
        "location": ["studio.central", "Central", 1, "ftrack.centralized-storage"],
        "mounts": ["linux", "osx", "windows"],
        "path": "heron/hq010/hs000/plate/v002/central.txt",
        "kept": True,
        "web": ["ftrack.review"],
        "problems": [False, True, True],
    }


def test_changes_are_heard_of(day):
    assert day["hear_events"] == {
        "heard": [[True, "update", ["description"]]],
        "replies": [{"answer": 42}],
        "stranger": "refused",
    }
