from sessionkit.testing.conformance import BackendConformance
from sessionkit_dyn import DynectSession, MMSession
from sessionkit_dyn.sandbox import DynService


class TestDynect(BackendConformance):
    backend = DynectSession
    service = DynService
    secrets = ("DYN_PASSWORD",)
    sign_in = sign_out = "/REST/Session*"
    revoke = "revoke_token"
    lifetime = 24 * 3600

    def arguments(self, sandbox, folder):
        return {"customer": "acme", "username": "ann", "password": "sandbox-ann", "host": sandbox.url}

    def call(self, session):
        return session.execute("/Zone/", "GET")["data"]


class TestMessageManagement(BackendConformance):
    backend = MMSession
    service = DynService
    secrets = ("DYN_MM_APIKEY",)

    def arguments(self, sandbox, folder):
        return {"apikey": sandbox.env["DYN_MM_APIKEY"], "host": sandbox.url}

    def call(self, session):
        return session.execute("/senders", "GET")
