from sessionkit.testing.conformance import BackendConformance
from sessionkit_tickets import Tickets
from sessionkit_tickets.sandbox import TicketsService


class TestPromises(BackendConformance):
    backend = Tickets
    service = TicketsService
    secrets = ("TICKETS_PASSWORD",)
    sign_in = sign_out = "/tickets/api/session"

    def arguments(self, sandbox, folder):
        env = sandbox.env
        return {
            "user": env["TICKETS_USER"],
            "password": env["TICKETS_PASSWORD"],
            "base_url": env["TICKETS_URL"],
        }

    def call(self, session):
        return session.all()
