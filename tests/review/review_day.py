# ruff: noqa: T201 - it talks to its caller through its output
"""A working day with a client, the vendor's own or ours; prints what it saw as JSON.

    python review_day.py ftrack|ours

Steps are plain functions that share a `Day`; they know the two clients apart only by `review_clients`. At the
end of the afternoon it writes every row that it reads to rows.json and waits for a line before it tidies up.
Everything is checked from outside too: a step returns only what the client made of the answers.
"""

import json
import sys
import time
from pathlib import Path

from review_clients import CLIENTS
from review_rows import rows_of

STEPS = []
MOUNTS = ("linux", "osx", "windows")
AWKWARD = 'say "no" \\ {1} 線 speed limit 5 mph'


def step(function):
    STEPS.append(function)
    return function


class Day:
    """What the steps hand on to later ones."""

    def __init__(self, client, folder):
        self.client = client
        self.folder = Path(folder)
        self.session = self.open(auto_connect_event_hub=False)
        self.user = self.session.query(f'User where username is "{self.session.api_user}"').one()

    def open(self, **options):
        return self.client.Session(**{"schema_cache_path": str(self.folder), "plugin_paths": [], **options})


def names(entities):
    return [entity["name"] for entity in entities]


@step
def sign_in(day):
    with day.open() as warm:
        types = len(warm.types)
    cached = day.client.cached_types(day.folder)
    refused = []
    for arguments in ({"api_key": "wrong"}, {"api_user": "nobody"}):
        try:
            day.open(schema_cache_path=False, **arguments)
        except day.client.ServerError as error:
            refused.append(str(error))
    return {"types": types, "cached": cached, "refused": refused}


@step
def ask_in_every_form(day):
    ask = day.session.query
    first, second = ask('select id from Task where name is "layout" order by id').all()[:2]
    forms = {
        "path": 'Task where status.name is "Approved" and parent.parent.name is "sq010"',
        "has": 'Task where status has (name is "Approved" and state has (short is DONE))',
        "any": 'Task where assignments any (resource.username is "jun.sato")',
        "any_empty": "Shot where children any ()",
        "not_any": "Task where not assignments any ()",
        "in": f"Task where id in ({first['id']},{second['id']})",
        "in_quoted": 'Task where name in ("layout", "animation")',
        "not_in": "Task where name not_in (layout, animation, lighting, compositing)",
        "like": 'Shot where name like "sh0_0"',
        "not_like": 'Shot where name not_like "%10"',
        "unquoted": f"Task where id is {first['id']}",
        "missing_space": f'Task where (id is "{first["id"]}"and name is "layout")',
        "none": "Task where description is None",
        "not_none": "Shot where description is_not none",
        "true": "Status where is_active is True",
        "false": "AssetVersion where is_latest_version is False",
        "number": "Task where bid >= 28800 and bid < 60000.5",
        "date": 'Task where end_date after "2000-01-01" and start_date before "2999-12-31T00:00:00"',
        "nested": 'Task where (name is layout or (name is animation and not (status.name is "Approved")))',
        "ordered": "Shot order by parent.name descending, name asc offset 2 limit 3",
        "cast": "Task where parent[Shot].description like Shot%",
        "subquery": 'Task where status_id in (select id from Status where name is "Approved")',
        "attribute": 'Shot where custom_attributes any (key is "fend" and value > 1050)',
        "metadata": 'Project where metadata any (key is "frame_rate" and value is "24")',
        "ancestors": 'Task where ancestors any (name is "sq020")',
        "project": 'TypedContext where project.name is "lighthouse"',
    }
    return {name: len(ask(expression)) for name, expression in forms.items()}


@step
def page_through(day):
    paged = day.session.query("select name, status.name from Task order by id", page_size=5)
    everything = day.session.query("select name from Task order by id").all()
    row = day.session.query("select name, status.name, parent.name, project.full_name from Task").first()
    with day.session.auto_populating(False):
        loaded = [row["status"]["name"], row["parent"]["name"], row["project"]["full_name"]]
    return {
        "paged": len(list(paged)),
        "same": [a["id"] for a in paged] == [a["id"] for a in everything],
        "loaded": loaded,
        "one": day.session.query('Project where name is "lighthouse"').one()["full_name"],
        "get": day.session.get("Task", row["id"]) is row,
        "missing": day.session.get("Task", "no-such-id"),
        "link": [part["name"] for part in row["link"]],
        "errors": [_error(day, text) for text in ("Task where nmae is x", "Task where (name is x", "Tusk")],
    }


def _error(day, expression):
    try:
        day.session.call([{"action": "query", "expression": f"select id from {expression}"}])
    except day.client.ServerError as error:
        return str(error)
    return None


@step
def create_a_project(day):
    session = day.session
    schema = session.query("ProjectSchema").first()
    day.project = session.create("Project", {"name": "heron", "full_name": "Heron", "project_schema": schema})
    sequence = session.create("Sequence", {"name": "hq010", "parent": day.project})
    statuses, types = schema.get_statuses("Task"), schema.get_types("Task")
    day.tasks = []
    for number in range(3):
        shot = session.create("Shot", {"name": f"hs{number:03}", "parent": sequence})
        for kind in types[:2]:
            task = session.create("Task", {"name": kind["name"].lower(), "parent": shot, "type": kind})
            session.create("Appointment", {"context": task, "resource": day.user, "type": "assignment"})
            day.tasks.append(task)
    session.commit()
    task = day.tasks[0]
    with session.auto_populating(False):
        filled = [task["status_id"], task["priority_id"], task["bid"], task["context_type"]]
    task["status"] = statuses[2]
    task["description"] = "First light."
    task["end_date"] = "2031-05-06"
    task["bid"] = 3.5
    session.commit()
    again = day.open()
    seen = again.get("Task", task["id"])
    result = {
        "filled": None not in filled,
        "context_type": filled[3],
        "shot_statuses": names(schema.get_statuses("Shot")),
        "descendants": len(again.get("Project", day.project["id"])["descendants"]),
        "seen": [
            seen["status"]["name"] == statuses[2]["name"],
            seen["description"],
            seen["end_date"].isoformat(),
        ],
        "parents": names(seen["ancestors"]),
        "changes": [change["status"]["name"] for change in seen["status_changes"]],
        "assigned": [a["resource"]["username"] for a in seen["assignments"]],
    }
    again.close()
    return result


@step
def keep_to_the_rules(day):
    session, refused = day.session, {}
    for name, entity_type, data in (
        ("duplicate", "Project", {"name": "heron"}),
        ("unknown", "Task", {"name": "x", "parent_id": "no-such-parent", "parent": None}),
        ("required", "ReviewSessionInvitee", {"name": "Nobody"}),
    ):
        try:
            session.create(entity_type, data)
            session.commit()
        except day.client.ServerError as error:
            refused[name] = str(error)
        finally:
            session.rollback()
    late = session.create("Group", {"name": None, "local": True})
    session.create("Scope", {"name": "heron"})
    late["name"] = "Night shift"
    session.commit()
    return {"refused": refused, "late": session.query('Group where name is "Night shift"').one() is late}


@step
def set_custom_attributes(day):
    session = day.session
    shot = session.query('Shot where name is "hs000"').one()
    before = dict(shot["custom_attributes"])
    shot["custom_attributes"]["fstart"] = 990
    shot["custom_attributes"]["needs_roto"] = True
    day.project["custom_attributes"]["client_note"] = "Only daylight."
    shot["metadata"]["lens"] = "35mm"
    shot["metadata"]["stop"] = "2.8"
    session.commit()
    shot["metadata"] = {"lens": "50mm", "größe": AWKWARD}
    session.commit()
    session.reset()
    shot = session.query('Shot where name is "hs000"').one()
    day.project = session.get("Project", day.project["id"])
    day.user = session.query(f'User where username is "{session.api_user}"').one()
    day.tasks = [session.get("Task", task["id"]) for task in day.tasks]
    found = session.query('Shot where metadata any (key is "größe" and value like "%no%")')
    return {
        "awkward": names(found),
        "before": before,
        "after": dict(shot["custom_attributes"]),
        "metadata": dict(shot["metadata"]),
        "inherited": session.query(
            'Task where project.name is "heron" and '
            "custom_attributes any (key is client_note and value like Only%)"
        )
        .all()
        .__len__(),
        "found": names(
            session.query("Shot where custom_attributes any (key is needs_roto and value is True)")
        ),
    }


@step
def talk_in_notes(day):
    session, task = day.session, day.tasks[0]
    label = session.query("NoteLabel").first()
    other = session.query('User where username is "jun.sato"').one()
    note = task.create_note(
        "Is the horizon meant to tilt?", author=day.user, recipients=[other], labels=[label]
    )
    reply = note.create_reply("Yes, by two degrees.", author=other)
    session.commit()
    fresh = day.open()
    seen = fresh.query(
        "select content, replies.content, author.username, recipients from Note "
        f'where parent_id is "{task["id"]}"'
    ).one()
    result = {
        "content": seen["content"],
        "author": seen["author"]["username"],
        "replies": [each["content"] for each in seen["replies"]],
        "reply_of": fresh.get("Note", reply["id"])["in_reply_to"]["id"] == note["id"],
        "recipients": [each["recipient"]["username"] for each in seen["recipients"]],
        "labels": [each["label"]["name"] for each in seen["note_label_links"]],
        "on_task": [each["id"] for each in fresh.get("Task", task["id"])["notes"]] == [note["id"]],
    }
    fresh.close()
    return result


@step
def publish_versions(day):
    session, task = day.session, day.tasks[0]
    kind = session.query('AssetType where short is "img"').one()
    asset = session.create("Asset", {"name": "plate", "type": kind, "parent": task["parent"]})
    day.versions = []
    for comment in ("first", "second"):
        version = session.create("AssetVersion", {"asset": asset, "task": task, "comment": comment})
        session.commit()
        day.versions.append(version)
    version = day.versions[-1]
    source = day.folder / "take.txt"
    source.write_bytes(b"frame\n" * 50_000)
    server = session.query('Location where name is "ftrack.server"').one()
    component = version.create_component(str(source), {"name": "main"}, location=server)
    session.commit()
    day.component = component
    url = server.get_url(component)
    downloaded = day.client.fetch(session, url)[2]
    # The client reads a component through its location's accessor as well.
    identifier = server.get_resource_identifier(component)
    data = server.accessor.open(identifier, "rb")
    read = data.read()
    data.close()
    disk = session.create("Location", {"name": "studio.disk"})
    session.commit()
    disk.accessor = day.client.DiskAccessor(prefix=str(day.folder / "disk"))
    disk.structure = day.client.IdStructure()
    disk.priority = 1
    disk.add_component(component, server)
    sequence = _sequence(day, disk)
    return {
        "versions": [each["version"] for each in day.versions],
        "latest": [each["is_latest_version"] for each in day.versions],
        "status": version["status"]["name"],
        "user": version["user"]["username"],
        "downloaded": downloaded == source.read_bytes(),
        "read": read == source.read_bytes(),
        "size": component["size"],
        "available": [component.get_availability()[place["id"]] for place in (server, disk)],
        "copied": Path(disk.get_filesystem_path(component)).read_bytes() == source.read_bytes(),
        "sequence": sequence,
        "uses": _use_one_another(day),
    }


def _sequence(day, disk):
    for frame in range(1, 4):
        (day.folder / f"beauty.{frame:04}.exr").write_bytes(b"%d" % frame)
    component = day.versions[-1].create_component(
        str(day.folder / "beauty.%04d.exr [1-3]"), {"name": "beauty"}, location=disk
    )
    day.session.commit()
    return [component.entity_type, component["padding"], sorted(names(component["members"]))]


def _use_one_another(day):
    day.versions[1]["uses_versions"].append(day.versions[0])
    day.session.commit()
    day.session.reset()
    first, second = (day.session.get("AssetVersion", each["id"]) for each in day.versions)
    day.versions = [first, second]
    day.tasks = [day.session.get("Task", task["id"]) for task in day.tasks]
    day.user = day.session.get("User", day.user["id"])
    return [
        [each["id"] for each in first["used_in_versions"]] == [second["id"]],
        [each["from"]["id"] for each in second["incoming_links"]] == [first["id"]],
    ]


@step
def encode(day):
    session, version = day.session, day.versions[-1]
    job = _wait(day, version.encode_media(str(day.folder / "picture.png")))
    output = json.loads(job["data"])["output"]
    film = day.folder / "film.mp4"
    film.write_bytes(b"not really a film")
    second = _wait(day, version.encode_media(str(film)))
    noise = day.folder / "noise.png"
    noise.write_bytes(b"not really a picture")
    third = _wait(day, version.encode_media(str(noise)))
    session.reset()
    day.versions = [session.get("AssetVersion", each["id"]) for each in day.versions]
    day.user = session.get("User", day.user["id"])
    version = day.versions[-1]
    _, kind, thumbnail = day.client.fetch(session, version["thumbnail_url"]["value"])
    return {
        "status": [[each["status"], each["finished_at"] is not None] for each in (job, second, third)],
        "formats": [each["format"] for each in output],
        "components": sorted(names(version["components"])),
        "thumbnail": [kind, thumbnail[:3] == b"\xff\xd8\xff"],
        "job_components": len(session.get("Job", job["id"])["job_components"]),
    }


def _wait(day, job):
    session, deadline = day.session, time.monotonic() + 20
    while time.monotonic() < deadline:
        session.populate(job, "status, data, finished_at")
        if job["status"] in ("done", "failed"):
            return job
        time.sleep(0.02)
        job = day.client.again(session, job)
    raise AssertionError("the job does not end")


@step
def set_thumbnails(day):
    session, task = day.session, session_task(day)
    component = task.create_thumbnail(str(day.folder / "picture.png"))
    session.commit()
    server = session.query('Location where name is "ftrack.server"').one()
    return {
        "set": session.get("Task", task["id"])["thumbnail_id"] == component["id"],
        "type": day.client.fetch(session, server.get_thumbnail_url(component, size=64))[1],
    }


def session_task(day):
    return day.session.get("Task", day.tasks[0]["id"])


@step
def hold_a_review(day):
    session = day.session
    project = session.query('Project where name is "heron"').one()
    review = session.create(
        "ReviewSession", {"name": "Heron review", "description": "Plates", "project": project}
    )
    for version in day.versions:
        session.create(
            "ReviewSessionObject",
            {
                "name": version["asset"]["name"],
                "version": f"v{version['version']}",
                "review_session": review,
                "asset_version": version,
            },
        )
    invitee = session.create(
        "ReviewSessionInvitee", {"name": "Iris", "email": "iris@client.example", "review_session": review}
    )
    session.commit()
    session.send_review_session_invite(invitee)
    first = review["review_session_objects"][0]
    session.create(
        "ReviewSessionObjectStatus",
        {"status": "approved", "review_session_object": first, "invitee": invitee},
    )
    first.create_note("Lovely.", author=day.user)
    session.commit()
    session.reset()
    review = session.get("ReviewSession", review["id"])
    return {
        "open": review["is_open"],
        "objects": len(review["review_session_objects"]),
        "statuses": [s["status"] for o in review["review_session_objects"] for s in o["statuses"]],
        "notes": [n["content"] for o in review["review_session_objects"] for n in o["notes"]],
        "sent": review["review_session_invitees"][0]["last_sent_at"] is not None,
        "thumbnail": review["thumbnail_id"]
        == session.get("AssetVersion", day.versions[-1]["id"])["thumbnail_id"],
    }


@step
def keep_time(day):
    session = day.session
    user, task = session.get("User", day.user["id"]), session_task(day)
    user.start_timer(task, comment="painting")
    try:
        user.start_timer(task)
    except day.client.NotUnique:
        twice = True
    session.rollback()
    log = user.stop_timer()
    session.reset()
    return {
        "twice": twice,
        "logged": log["duration"] >= 0,
        "timers": len(session.query("Timer")),
        "timelogs": [each["comment"] for each in session.get("Task", day.tasks[0]["id"])["timelogs"]],
    }


@step
def collect_in_lists(day):
    session = day.session
    category = session.query("ListCategory").first()
    project = session.query('Project where name is "heron"').one()
    versions = session.create(
        "AssetVersionList", {"name": "picks", "project": project, "category": category, "owner": day.user}
    )
    session.commit()
    first, second = (session.get("AssetVersion", each["id"]) for each in day.versions)
    versions["items"].extend([first, second])
    session.commit()
    versions["items"].remove(first)
    session.commit()
    session.reset()
    versions = session.get("AssetVersionList", versions["id"])
    return {
        "items": [each["version"] for each in versions["items"]],
        "lists": names(session.get("AssetVersion", second["id"])["lists"]),
        "system_type": versions["system_type"],
    }


@step
def ask_for_the_rest(day):
    session = day.session
    task = session_task(day)
    user = session.query('User where username is "petra.novak"').one()
    session.send_user_invite(user)
    found = session.call(
        [
            {
                "action": "search",
                "expression": "select name from Shot",
                "entity_type": "Shot",
                "terms": ["hs0"],
                "context_id": task["project_id"],
            }
        ]
    )[0]
    job = session.call([{"action": "delayed_job", "job_type": "SYNC_USERS_LDAP"}])[0]["data"]
    role = session.query('SecurityRole where name is "Project Manager"').one()
    common = {"user_id": user["id"], "role_id": role["id"]}
    session.call([{"action": "add_user_security_role", **common}])
    grant = {**common, "project_id": task["project_id"]}
    session.call([{"action": "grant_user_security_role_project", **grant}])
    granted = len(session.query("UserSecurityRoleProject").all())
    session.call([{"action": "revoke_user_security_role_project", **grant}])
    session.call([{"action": "remove_user_security_role", **common}])
    with day.open(strict_api=True) as strict:
        rows = strict.call(
            [
                {
                    "action": "query",
                    "expression": 'select count(id), status.name from Task where project.name is "heron" '
                    "group by status.name order by status.name",
                }
            ]
        )[0]["data"]
    try:
        session.call([{"action": "make_tea"}])
    except day.client.ServerError as error:
        unknown = str(error)
    key = user.session.reset_remote("api_key", entity=user)["api_key"]
    with day.open(api_user="petra.novak", api_key=key) as other:
        signed_in = other.query("select username from User where username is petra.novak").one()["username"]
    return {
        "widget": session.get_widget_url("info", entity=task).partition("?")[0],
        "search": sorted(each["name"] for each in found["data"]),
        "job": [job.entity_type, job["status"]],
        "granted": granted,
        "rows": rows,
        "unknown": unknown,
        "signed_in": signed_in,
    }


@step
def hear_events(day):
    session = day.open(auto_connect_event_hub=True)
    hub, task, heard, replies = session.event_hub, session_task(day), [], []
    deadline = time.monotonic() + 20
    while not hub.connected and time.monotonic() < deadline:
        time.sleep(0.02)
    hub.subscribe("topic=ftrack.update and source.user.username=" + session.api_user, heard.append)
    hub.subscribe("topic=day.question", lambda event: {"answer": event["data"]["number"] * 2})
    hub.wait(0.2)
    task["description"] = "Heard of."
    day.session.commit()
    question = day.client.Event(topic="day.question", data={"number": 21})
    hub.publish(question, on_reply=replies.append)
    while not (heard and replies) and time.monotonic() < deadline:
        hub.wait(0.1)
    result = {
        "heard": [
            (e["entityId"] == task["id"], e["action"], e["keys"]) for e in heard[0]["data"]["entities"]
        ],
        "replies": [reply["data"] for reply in replies],
    }
    session.close()
    stranger = day.client.EventHub(session.server_url, session.api_user, "wrong")
    try:
        stranger.connect()
    except day.client.HubConnectionError:
        result["stranger"] = "refused"
    return result


@step
def set_up_the_storage(day):
    """An administrator answers the wizard's forms; whoever opens a session then keeps files there."""
    mount, forms = day.folder / "central", []
    mount.mkdir()
    with day.open() as session:
        day.client.offer_storage(session)
        session.event_hub.connect()

        def ask(form=None, **answers):
            given = (
                {item["name"]: item.get("value") for item in form["items"] if "name" in item} if form else {}
            )
            data = {"scenario_id": "ftrack.centralized-storage", "values": {**given, **answers}}
            (form,) = _asked(day, session, "ftrack.storage-scenario.configure", data)
            forms.append([form["state"], sorted(item["name"] for item in form["items"] if "name" in item)])
            return form

        offered = [each["id"] for each in _asked(day, session, "ftrack.storage-scenario.discover", {})]
        form = ask(ask(), location_id="no-such-location")
        form = ask(form, location_id="create_new_location")
        form = ask(ask(form, location_name=""), location_name="studio.central", location_label="Central")
        form = ask(
            form, linux_mount_point=str(mount), osx_mount_point=str(mount), windows_mount_point=str(mount)
        )
        ask(form)
    with day.open() as fresh:
        scenario = fresh.server_information["storage_scenario"]
        location = fresh.pick_location()
        version = fresh.get("AssetVersion", day.versions[-1]["id"])
        component = fresh.create_component(
            str(day.folder / "take.txt"), {"name": "central", "version": version}
        )
        path = Path(location.get_filesystem_path(component))
        web = fresh.create_component(
            str(day.folder / "picture.png"), {"name": "ftrackreview-mp4", "version": version}
        )
        problems = [
            _problem(day, fresh, scenario, {}),
            _problem(day, fresh, scenario, dict.fromkeys(MOUNTS, "")),
        ]
        problems.append(_problem(day, fresh, scenario, dict.fromkeys(MOUNTS, "/no/such/folder")))
        return {
            "offered": offered,
            "forms": forms,
            "location": [location["name"], location["label"], location.priority, scenario["scenario"]],
            "mounts": sorted(scenario["data"]["accessor"]["mount_points"]),
            "path": str(path.relative_to(mount)),
            "kept": path.read_bytes() == (day.folder / "take.txt").read_bytes(),
            "web": [each["location"]["name"] for each in web["component_locations"]],
            "problems": problems,
        }


def _problem(day, session, scenario, mounts):
    scenario = json.loads(json.dumps(scenario))
    scenario["data"]["accessor"]["mount_points"].update(mounts)
    return any(_asked(day, session, "ftrack.connect.verify-startup", {"storage_scenario": scenario}))


def _asked(day, session, topic, data):
    return session.event_hub.publish(day.client.Event(topic=topic, data=data), synchronous=True)


@step
def leave_everything_to_others(day):
    """What is there now is compared with what the other client reads."""
    day.session.get("User", day.user["id"]).start_timer(session_task(day), comment="still at it")
    with day.open() as fresh:
        rows = rows_of(day.client, fresh)
    (day.folder / "rows.json").write_text(json.dumps(rows))
    print("ready", flush=True)
    sys.stdin.readline()
    return {name: len(found) for name, found in rows.items()}


@step
def tidy_up(day):
    session = day.session
    component = session.get("FileComponent", day.component["id"])
    server = session.query('Location where name is "ftrack.server"').one()
    server.remove_component(component)
    stored = day.client.exists(server, component["id"])
    session.delete(session.query('Project where name is "heron"').one())
    session.commit()
    session.reset()
    left = {
        name: len(session.query(f"select id from {name} where {where}"))
        for name, where in {
            "Task": 'project.name is "heron"',
            "AssetVersion": f"id in ({', '.join(each['id'] for each in day.versions)})",
            "Note": 'content is "Is the horizon meant to tilt?" or content is "Yes, by two degrees."',
            "ReviewSession": 'name is "Heron review"',
            "Component": f"id is {component['id']}",
        }.items()
    }
    return {"stored": stored, "left": left}


def main(client):
    day = Day(CLIENTS[client](), Path.cwd())
    seen = {}
    for each in STEPS:
        began = time.monotonic()
        seen[each.__name__] = each(day)
        print(f"{each.__name__}: {time.monotonic() - began:.2f} s", file=sys.stderr)
    day.session.close()
    print(json.dumps(seen, default=str))


if __name__ == "__main__":
    main(sys.argv[1])
