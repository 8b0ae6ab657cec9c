"""A process of the stampede tests: 16 threads that make signed calls of a real server until told to stop.

Reads one number per line, the seconds that pass before the next round, and answers each with one line of
JSON: what the calls got.
"""

import json
import sys
import urllib.error
import urllib.request

from token_kit import together

from sessionkit.testing import ManualClock
from sessionkit.tokens import FileTokenStore, RedisTokenStore, Token, TokenSource


def main(url, store_url):
    clock = ManualClock()
    make_store = RedisTokenStore if "://" in store_url else FileTokenStore
    store = make_store(store_url, clock=clock)

    def ask(path, headers, timeout):
        with urllib.request.urlopen(
            urllib.request.Request(url + path, headers=headers), timeout=timeout
        ) as answer:
            return json.load(answer)

    def fetch(deadline):
        answer = ask("/token", {}, deadline.remaining())
        return Token(answer["value"], clock.time() + answer["expires_in"])

    source = TokenSource(fetch, key="stampede", store=store, clock=clock)

    def call():
        """A signed call, signed again once when its token was refused."""
        token = None
        for _ in range(2):
            token = source.get(refused=token)
            try:
                return ask("/work", {"Authorization": f"Bearer {token.value}"}, 10)["value"]
            except urllib.error.HTTPError as error:
                status = error.code
                error.close()
        raise RuntimeError(f"HTTP {status}")

    say("ready")
    for seconds in sys.stdin:
        clock.advance(float(seconds))
        say(json.dumps([str(result) for result in together(16, call)]))


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
