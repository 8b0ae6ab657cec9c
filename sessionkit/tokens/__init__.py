"""Tokens: fetched once, kept where the next process finds them, renewed before they expire.

    source = TokenSource(fetch, key=token_key("weather", "ann", "https://api.example.test"),
                         store=FileTokenStore("~/.cache/weather/tokens.json"))
    token = source.get()                # fetches, waits, or, mostly, just returns
    token = source.get(refused=token)   # the service said 401 to this one

However many threads, and with a file or Redis however many processes, find the token missing, expired or
refused at the same moment: one of them fetches, the others wait for what it gets.
"""

from sessionkit.tokens.file import FileTokenStore
from sessionkit.tokens.memory import MemoryTokenStore
from sessionkit.tokens.redis import RedisTokenStore
from sessionkit.tokens.source import TokenSource
from sessionkit.tokens.store import TokenStore, token_key
from sessionkit.tokens.token import Token

__all__ = [
    "FileTokenStore",
    "MemoryTokenStore",
    "RedisTokenStore",
    "Token",
    "TokenSource",
    "TokenStore",
    "token_key",
]
