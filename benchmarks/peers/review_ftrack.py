"""The vendor's review client, doing what it is told line by line: one command in, its seconds (JSON) out."""

import json
import sys
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path

import ftrack_api


class Peer:
    def __init__(self, folder, rows):
        self.folder = folder
        self.text = Path(rows).read_text()
        self.session = self.open(folder)

    def open(self, folder):
        return ftrack_api.Session(schema_cache_path=folder, plugin_paths=[])

    def load(self, text=None):
        session = self.session
        with session.auto_populating(False), session.operation_recording(False):
            return [session.merge(entity) for entity in session.decode(text or self.text)]

    def decode(self):
        self.session.cache.clear()
        begin = time.thread_time()
        self.load()
        return time.thread_time() - begin

    def bytes_each(self):
        self.session.cache.clear()
        tracemalloc.start()
        kept = self.load()
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size / len(kept)

    def read(self):
        entity = self.load()[0]
        begin = time.thread_time()
        for _ in range(20_000):
            entity["name"]
        return (time.thread_time() - begin) / 20_000

    def commit_one(self):
        self.load()
        task = self.session.query("select description from Task where name is layout").first()
        task["description"] = f"{time.time()}"
        begin = time.thread_time()
        self.session.commit()
        return time.thread_time() - begin

    def creates(self):
        self.session.cache.clear()
        begin = time.thread_time()
        for number in range(1000):
            self.session.create("Scope", {"name": f"scope {number}"})
        self.session.commit()
        return time.thread_time() - begin

    def start_cold(self):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            self.open(folder).close()
            return time.perf_counter() - begin

    def start_warm(self):
        begin = time.perf_counter()
        self.open(self.folder).close()
        return time.perf_counter() - begin

    def calls_of_200(self):
        session = self.session
        session.cache.clear()
        call, counted = session.call, []
        session.call = lambda data: counted.append(1) or call(data)
        for scope in session.query("select id from Scope limit 200").all():
            scope["name"]
        del session.call
        return len(counted)

    def four_threads(self):
        self.session.cache.clear()
        rows = json.loads(self.text)
        parts = [json.dumps(rows[begin : begin + 2000]) for begin in range(0, 8000, 2000)]
        threads = [threading.Thread(target=self.load, args=(part,)) for part in parts]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begin


if __name__ == "__main__":
    peer = Peer(sys.argv[1], sys.argv[2])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(getattr(peer, line.strip())()), flush=True)
