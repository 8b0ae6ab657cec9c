"""A session's three steps without a service: what is asked comes back."""

from sessionkit import Done


class Echoing:
    """To be mixed into a `SessionEngine`."""

    def prepare(self, call):
        return call

    def send(self, request, deadline):
        return request

    def process(self, response, call):
        return Done(response)
