from sessionkit.testing.conformance import BackendConformance
from sessionkit_helios import Cameras, HeliosSession
from sessionkit_helios.sandbox import HeliosService


class TestHelios(BackendConformance):
    backend = HeliosSession
    service = HeliosService
    secrets = ("helios_client_secret",)
    sign_in = "/v1/oauth/token"
    revoke = "revoke_tokens"
    lifetime = 93_600

    def arguments(self, sandbox, folder):
        env = sandbox.env
        return {
            "client_id": env["helios_client_id"],
            "client_secret": env["helios_client_secret"],
            "api_url": env["helios_api_url"],
            "base_dir": folder,
        }

    def call(self, session):
        return len(Cameras(session).index(limit=1).features)
