"""What our client writes the vendor's own reads equal, from PyPI, unchanged, in its own environment."""

import json
import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_the_vendors_client_reads_what_ours_wrote(session, sandbox, tmp_path):
    made = subprocess.run([ROOT / ".ci" / "env", "ftrack"], stdout=subprocess.PIPE, text=True, check=True)
    me = session.select("User").where(username=session.api_user).one()
    shot = session.select("Shot").where(name="sh020").first()
    shot["custom_attributes"]["fstart"] = 977
    task = session.create(
        "Task",
        {
            "name": 'say "no" \\ line',
            "parent": shot,
            "bid": 3.5,
            "end_date": datetime(2031, 5, 6, 7, 8, 9, tzinfo=timezone.utc),
            "status": session.select("Status").where(name="Approved").one(),
            "metadata": {"lens": "35mm", "größe": "線"},
        },
    )
    note = task.create_note("Tilt the horizon.", me)
    note.create_reply("By two degrees.", me)
    session.commit()
    path = tmp_path / "take.txt"
    path.write_text("frame\n" * 1000)
    component = session.create_component(path, location=session.server_location)

    command = [
        made.stdout.strip(),
        str(Path(__file__).with_name("vendor_reads.py")),
        task["id"],
        component["id"],
    ]
    seen = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **sandbox.env}
    )
    assert json.loads(seen.stdout) == {
        "name": 'say "no" \\ line',
        "bid": 3.5,
        "end_date": "2031-05-06T07:08:09+00:00",
        "status": "Approved",
        "metadata": {"lens": "35mm", "größe": "線"},
        "frame": 977,
        "note": ["Tilt the horizon.", session.api_user, ["By two degrees."]],
        "component": 6000,
        "locations": ["ftrack.server"],
    }
