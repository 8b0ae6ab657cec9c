import pytest
import requests
from review_other_process import listens

from sessionkit.cache import FileCache
from sessionkit.http import RetryPolicy
from sessionkit.sandbox import Sandbox
from sessionkit_review import ReviewSession
from sessionkit_review.sandbox import ReviewService


@pytest.fixture
def sandbox_options():
    return {"services": [ReviewService]}


@pytest.fixture(scope="module")
def shared_sandbox():
    """One sandbox for a module whose tests do not mind each other's changes."""
    with Sandbox(services=[ReviewService]) as box:
        yield box
        failed = [entry.error for entry in box.requests() if entry.error]
    assert not failed, "a sandbox service failed:\n" + failed[0]


@pytest.fixture
def service(sandbox):
    return sandbox.service("review")


@pytest.fixture
def http():
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def credentials(sandbox):
    return {"ftrack-user": sandbox.env["FTRACK_API_USER"], "ftrack-api-key": sandbox.env["FTRACK_API_KEY"]}


@pytest.fixture
def post(sandbox, http, credentials):
    """Send operations and get the whole answer: `post([{"action": ...}], strict=True)` -> the response."""

    def post(operations, *, strict=False, headers=None):
        return http.post(
            f"{sandbox.url}/api",
            json=operations,
            headers={**credentials, "ftrack-strict-api": str(strict).lower(), **(headers or {})},
        )

    return post


@pytest.fixture
def call(post):
    """Send operations and expect results: `call({"action": ...}, ...)` -> the list of results."""

    def call(*operations, **options):
        answer = post(list(operations), **options).json()
        assert isinstance(answer, list), answer
        return answer

    return call


@pytest.fixture
def query(call):
    """Entities of a query."""

    def query(expression, **options):
        return call({"action": "query", "expression": expression}, **options)[0]["data"]

    return query


@pytest.fixture
def refuse(post):
    """Send operations and expect an error: the exception object."""

    def refuse(*operations, **options):
        answer = post(list(operations), **options).json()
        assert isinstance(answer, dict), answer
        assert answer.keys() == {"exception", "content", "error_code", "error"}
        return answer

    return refuse


@pytest.fixture
def open_session(sandbox, tmp_path):
    """Open sessions with the sandbox, closed at the end: `open_session(auto_populate=False)`."""
    opened = []

    def open_session(**options):
        given = {
            "server_url": sandbox.env["FTRACK_SERVER"],
            "api_key": sandbox.env["FTRACK_API_KEY"],
            "api_user": sandbox.env["FTRACK_API_USER"],
            "schema_cache_path": tmp_path / "schemas",
            "plugin_paths": [],
        }
        session = ReviewSession.detached(**{**given, **options})
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()


@pytest.fixture
def session(open_session):
    """Our own session, with retries that do not wait."""
    return open_session(retry=RetryPolicy(base=0.0))


@pytest.fixture
def calls(sandbox):
    """How many requests the API has had: `before = calls(); ...; calls() - before`."""
    return lambda: len(sandbox.requests(path="/api"))


@pytest.fixture
def shared(tmp_path):
    """A cache that processes share."""
    with FileCache(tmp_path / "entities.db") as cache:
        yield cache


@pytest.fixture
def here(open_session, shared):
    """A session of this process, whose hub is connected."""
    session = open_session(auto_connect_event_hub=True, cache=shared)
    listens(session)
    return session
