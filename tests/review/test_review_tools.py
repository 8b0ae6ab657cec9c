import logging
import sys

import pytest

from sessionkit.errors import ConfigurationError
from sessionkit_review import formatter, mixin, storage
from sessionkit_review.logging import LazyLogMessage, deprecation_warning


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


def test_an_entity_is_written_for_people_without_loading(session, calls):
    task = session.query("select name, status.name, metadata, notes from Task").first()
    before = calls()
    text = formatter.format(task, attribute_filter=formatter.FILTER["ignore_unset"], colour=False)
    assert calls() == before
    assert text.splitlines()[0] == str(task)
    assert f"  name: {task['name']}" in text
    assert "  status: <Status(" in text
    assert "description" not in text
    whole = formatter.format(task, recursive=True, colour=False, indent=2)
    assert f"name: {task['status']['name']}" in whole
    assert "  description: NOT_SET" in whole
    assert "\x1b[" in formatter.format(task, colour=True)


def test_colours_follow_the_environment(session, monkeypatch):
    task = session.query("Task").first()
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in formatter.format(task)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in formatter.format(task)


@pytest.mark.parametrize(
    "scenario", [None, 5, {}, {"scenario": storage.SCENARIO}, {"scenario": storage.SCENARIO, "data": 5}]
)
def test_a_scenario_that_makes_no_sense_sets_nothing_up(scenario):
    assert storage.setup_of({"storage_scenario": scenario}) is None


def test_a_method_can_be_mixed_into_one_entity(session):
    class Loud:
        __slots__ = ()

        def shout(self):
            return self["name"].upper()

    class Stateful:
        def __init__(self):
            self.x = 1

        __slots__ = ("x",)

    first, second = session.query("select name from Task limit 2").all()
    mixin(first, Loud)
    mixin(first, Loud)
    assert first.shout() == first["name"].upper()
    assert not hasattr(second, "shout")
    assert session.get("Task", first["id"]) is first
    with pytest.raises(ConfigurationError):
        mixin(second, Stateful)


def test_headers_and_labels_are_written_as_one_likes(session):
    task = session.query("select name from Task").first()
    bold = {"header": "**{}**".format, "label": str.upper}
    text = formatter.format(task, bold, None, False, 4, False)
    assert text.startswith(f"**{task}**\n      ")
    assert f"      NAME: {task['name']}" in text
    assert formatter.format(task, formatters=bold, indent=4) == "    " + text


def test_messages_are_put_together_when_they_are_logged(caplog):
    class Counted:
        asked = 0

        def __format__(self, wanted):
            self.asked += 1
            return "{braces}"

    log, counted = logging.getLogger("studio"), Counted()
    log.setLevel(logging.INFO)
    log.debug(LazyLogMessage("{0} of {total}", counted, total=40))
    assert counted.asked == 0
    log.info(LazyLogMessage("{0} of {total}", counted, total=40))
    assert caplog.messages == ["{braces} of 40"]


def test_what_will_go_says_so_where_it_is_called():
    @deprecation_warning("use publish()")
    def publish_shot(name, *, dry=False):
        """Publish."""
        return name, dry

    with pytest.warns(PendingDeprecationWarning, match=r"use publish\(\)") as caught:
        assert publish_shot("sh010", dry=True) == ("sh010", True)
    assert caught[0].filename == __file__
    assert (publish_shot.__name__, publish_shot.__doc__) == ("publish_shot", "Publish.")


def test_plugins_may_have_classes_that_look_for_their_module(open_session, tmp_path):
    (tmp_path / "studio.py").write_text(
        "from __future__ import annotations\n"
        "import dataclasses\n"
        "@dataclasses.dataclass\n"
        "class Rule:\n"
        "    limit: int = 3\n"
        "def register(session, rules):\n"
        "    rules.append(Rule())\n"
    )
    (tmp_path / "broken.py").write_text("import sys\nraise ValueError(__name__)\n")
    rules = []
    before = set(sys.modules)
    open_session(plugin_paths=[tmp_path], plugin_arguments={"rules": rules})
    assert [rule.limit for rule in rules] == [3]
    assert {name for name in set(sys.modules) - before if "plugin" in name} == {type(rules[0]).__module__}


def test_values_by_key_are_written_without_loading(open_session, calls):
    session = open_session()
    shot = session.create("Shot", {"name": "new", "metadata": {"lens": "35mm"}})
    before = calls()
    text = formatter.format(shot, colour=False)
    assert "  metadata: {'lens': '35mm'}" in text.splitlines()
    assert "  custom_attributes: {}" in text.splitlines()
    assert calls() == before
    session.rollback()
