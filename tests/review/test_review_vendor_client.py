"""The vendor's own client, ftrack-python-api 3.1.0, works a long day against the service, unchanged."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from sessionkit.sandbox import Sandbox
from sessionkit_review.sandbox import ReviewService

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.xdist_group("review-vendor")


@pytest.fixture(scope="module")
def vendor_python():
    made = subprocess.run(
        [ROOT / ".ci/env", "ftrack"], check=True, capture_output=True, text=True, timeout=110
    )
    return made.stdout.strip()


@pytest.fixture(scope="module")
def day(vendor_python, tmp_path_factory):
    """What the vendor's client saw, by step; one day for all tests."""
    with Sandbox(services=[ReviewService]) as sandbox:
        seen = work(sandbox, vendor_python, tmp_path_factory.mktemp("day"))
        assert [entry.error for entry in sandbox.requests() if entry.error] == []
        return seen


def work(sandbox, vendor_python, tmp_path):
    Image.linear_gradient("L").resize((640, 360)).save(tmp_path / "picture.png")
    done = subprocess.run(
        [vendor_python, Path(__file__).with_name("vendor_day.py")],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": os.defpath, "NO_PROXY": "*", **sandbox.env},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def test_the_vendors_client_works_a_day(day):
    refused = "Server reported error: InvalidCredentialsError("
    assert (day["sign_in"]["types"], day["sign_in"]["cached"]) == (98, 98)
    assert all(error.startswith(refused) for error in day["sign_in"]["refused"])
    assert len(day["sign_in"]["refused"]) == 2
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


def test_the_vendors_client_reads_and_writes_what_hangs_on_entities(day):
    attributes = day["set_custom_attributes"]
    assert attributes["before"] == {"fstart": 1001, "fend": 1100, "needs_roto": False, "client_note": ""}
    assert attributes["after"] == {
        "fstart": 990,
        "fend": 1100,
        "needs_roto": True,
        "client_note": "Only daylight.",
    }
    assert attributes["metadata"] == {"lens": "50mm"}
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
        "twice": "NotUniqueError",
        "logged": True,
        "timers": 0,
        "timelogs": ["painting"],
    }
    assert day["collect_in_lists"] == {"items": [2], "lists": ["picks"], "system_type": "assetversion"}
    assert day["tidy_up"] == {
        "removed": 404,
        "left": {"Task": 0, "AssetVersion": 0, "Note": 0, "ReviewSession": 0, "Component": 0},
    }


def test_the_vendors_client_moves_files_and_holds_reviews(day):
    published = day["publish_versions"]
    assert (published["versions"], published["latest"]) == ([1, 2], [False, True])
    assert published["downloaded"] is published["read"] is published["copied"] is True
    assert published["size"] == 300_000
    assert published["available"].count(100.0) == 2
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


def test_the_vendors_client_hears_of_changes(day):
    assert day["hear_events"] == {
        "heard": [[True, "update", ["description"]]],
        "replies": [{"answer": 42}],
        "stranger": "refused",
    }
