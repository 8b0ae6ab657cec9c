"""What sessions say of themselves, and how their constructors look from outside."""

import inspect

import pytest
from core_kit import Api

from sessionkit import HttpEngine, SessionEngine, backends
from sessionkit.errors import ServerError
from sessionkit.events import EventHub


@pytest.fixture
def heard():
    """A hub that several sessions tell, and what it heard."""
    hub, topics = EventHub(), []
    hub.subscribe(
        "topic=sessionkit.session.*", lambda event: topics.append(event["topic"].rpartition(".")[2])
    )
    return hub, topics


def test_the_beginning_and_the_end_of_a_session_are_told(server, heard):
    hub, topics = heard
    with Api(server.url, event_hub_factory=lambda _: hub):
        assert topics == ["opened"]
        assert Api.get_session() is not None
        assert topics == ["opened"], "asking who is current opens nothing"
    assert topics == ["opened", "closed"]


def test_so_are_a_siblings(server, heard):
    hub, topics = heard
    with Api.detached(server.url, event_hub_factory=lambda _: hub) as session:
        session.sibling().close()
    assert topics == ["opened", "opened", "closed", "closed"]


def test_an_event_names_the_session_and_the_moment(server):
    hub, events = EventHub(), []
    hub.subscribe("topic=sessionkit.session.opened", lambda event: events.append(event["data"]))
    with Api.detached(server.url, event_hub_factory=lambda _: hub) as session:
        assert events == [{"session": repr(session), "at": pytest.approx(session.clock.time(), abs=60)}]


def test_a_session_that_could_not_be_opened_says_nothing(server, heard):
    hub, topics = heard

    class Eager(Api):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.get("/")

    server.answer = lambda seen: (501, {}, {})
    with pytest.raises(ServerError):
        Eager.detached(server.url, event_hub_factory=lambda _: hub)
    assert topics == []


def test_without_a_listener_nothing_is_made(server):
    with Api.detached(server.url) as session:
        session.get("/")
        assert "hub" not in session._family.parts


# --- constructors, as prompts and help() show them ---


@pytest.mark.parametrize("name", list(backends.installed()))
def test_a_backends_signature_is_its_constructors(name):
    backend = backends.load(name)
    shown = inspect.signature(backend)
    assert list(shown.parameters) == list(inspect.signature(backend.__init__).parameters)[1:]
    assert len(shown.parameters) >= 2
    assert shown.return_annotation is inspect.Signature.empty


def test_a_signature_shows_names_and_defaults():
    text = str(inspect.signature(HttpEngine))
    assert text.startswith("(base_url")
    assert "timeout: 'float' = 60.0" in text
    assert "self" not in inspect.signature(SessionEngine).parameters


def test_a_constructor_that_hands_everything_through_shows_its_bases():
    class Louder(Api):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)

    assert inspect.signature(Louder) == inspect.signature(Api) == inspect.signature(HttpEngine)
