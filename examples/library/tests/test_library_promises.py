from sessionkit.testing.conformance import BackendConformance
from sessionkit_library import Library
from sessionkit_library.sandbox import LIFETIME, LibraryService


class TestPromises(BackendConformance):
    backend = Library
    service = LibraryService
    secrets = ("LIBRARY_CLIENT_SECRET",)
    sign_in = "/library/oauth/token"
    revoke = "revoke_tokens"
    lifetime = LIFETIME

    def arguments(self, sandbox, folder):
        env = sandbox.env
        return {
            "client_id": env["LIBRARY_CLIENT_ID"],
            "client_secret": env["LIBRARY_CLIENT_SECRET"],
            "base_url": env["LIBRARY_URL"],
            "token_file": str(folder / "token"),
        }

    def call(self, session):
        return next(session.search("dune"))["title"]
