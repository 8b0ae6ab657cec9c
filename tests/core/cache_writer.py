"""A process that changes what another one is reading at this moment: `python cache_writer.py URL FILE`."""

import sys

from core_kit import Api

from sessionkit.cache import FileCache
from sessionkit.http import CachePolicy

url, file = sys.argv[1:]
with FileCache(file) as cache, Api.detached(url, cache=cache, cache_policy=CachePolicy(ttl=3600)) as api:
    api.put("/thing", {"value": "new"})
