"""Servers that tests stop and start, and a way to wait for what they do."""

from starlette.applications import Starlette

from sessionkit.events import Backoff
from sessionkit.sandbox.server import ServerThread, listen
from sessionkit.sandbox.socketio import SocketIoServer

QUICK = Backoff(initial=0.02, maximum=0.1, attempts=200)


def drain(hub):
    """Handle everything that waits in a hub."""
    while len(hub._reception.inbox):
        hub.wait(0.01)


async def _nothing():
    pass


class EventServer:
    """The sandbox's event server, to be stopped and started at one address; it forgets everything then."""

    def __init__(self, **options):
        self.options = {"grace": 3.0, **options}
        self.port = 0
        self.thread = None
        self.seen = []

    def start(self):
        self.server = SocketIoServer(**self.options)
        listener = listen("127.0.0.1", self.port)
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        app = Starlette(routes=self.server.routes())
        self.thread = ServerThread(
            self._recording(app), listener, tls=None, before=_nothing, after=self._stopped
        )
        self.thread.start()
        return self

    def _recording(self, app):
        async def record(scope, receive, send):
            if scope["type"] != "lifespan":
                self.seen.append((scope["path"], scope["query_string"].decode(), dict(scope["headers"])))
            await app(scope, receive, send)

        return record

    async def _stopped(self):
        self.server.stop()

    def stop(self):
        if self.thread is not None:
            self.thread.stop()
            self.thread = None

    def on_loop(self, work):
        async def run():
            return work()

        return self.thread.call(run)

    def fault(self, kind, **options):
        assert self.on_loop(lambda: self.server.fault(kind, options))
