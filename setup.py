"""Two source roots, one distribution.

`sessionkit` lives at the top, the backends below `backends/`, each a top-level package exactly as a
third party would ship it. setup.cfg can name one root only, so the package list is made here.
"""

from setuptools import find_packages, setup

BACKENDS = find_packages("backends")

setup(
    packages=[*find_packages(include=["sessionkit", "sessionkit.*"]), *BACKENDS],
    package_dir={name: f"backends/{name.replace('.', '/')}" for name in BACKENDS},
)
