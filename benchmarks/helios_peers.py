"""The peers of the Helios benchmarks, run by the Python of their own environment.

Reads a line, "index" or "images FOLDER", does it, and prints a line when it is done.
"""

import asyncio
import sys
from pathlib import Path

COUNT = 1000
# This folder has a module that is called as the vendor's package is.
sys.path.pop(0)


def by_helios_sdk(url):
    import helios

    helios.CONFIG["general"]["max_threads"] = 50
    env = {"helios_client_id": "bench", "helios_client_secret": "secret", "helios_api_url": url}
    cameras = helios.Cameras(session=helios.Session(env=env))

    def do(what, *folder):
        if what == "index":
            assert len(cameras.index(limit=4).features) == 4 * COUNT
        else:
            times = [str(number) for number in range(COUNT)]
            assert not cameras.show_image("CAM", times, out_dir=folder[0]).records.failed

    return do


def by_aiohttp(url):
    import aiohttp

    async def get_json(session, skip):
        async with session.get(f"{url}/cameras?limit=4&skip={skip}") as answer:
            return await answer.json()

    async def get_image(session, number, folder):
        async with session.get(f"{url}/cameras/CAM/images/{number}") as answer:
            with Path(folder, f"{number}.jpg").open("wb") as file:  # noqa: ASYNC230 - memory is not waited for
                async for chunk in answer.content.iter_chunked(65536):
                    file.write(chunk)

    async def run(what, *folder):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:
            if what == "index":
                await asyncio.gather(*(get_json(session, skip) for skip in range(0, 4 * COUNT, 4)))
            else:
                await asyncio.gather(*(get_image(session, number, *folder) for number in range(COUNT)))

    return lambda *words: asyncio.run(run(*words))


if __name__ == "__main__":
    do = {"helios": by_helios_sdk, "aiohttp": by_aiohttp}[sys.argv[1]](sys.argv[2])
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        if len(words) > 1:
            Path(words[1]).mkdir(exist_ok=True)
        do(*words)
        print("done", flush=True)
