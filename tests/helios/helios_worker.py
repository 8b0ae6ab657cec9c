"""Processes that begin at the same moment: each opens a session, makes one call, and says what it found.

They are forked, so that what they need is imported once and not by each.
"""

import os
import sys

from sessionkit_helios import Cameras, HeliosSession

count, base_dir, url = sys.argv[1:]
wait, begin = os.pipe()
children = []
for _ in range(int(count)):
    child = os.fork()
    if child == 0:
        os.close(begin)
        os.read(wait, 1)
        with HeliosSession("demo-client", "demo-secret", url, base_dir, proxies=False):
            os.write(1, f"{Cameras().index().total}\n".encode())
        os._exit(0)
    children.append(child)
os.close(begin)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
