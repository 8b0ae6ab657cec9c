from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import sessionkit.cache

MODULES = sorted(module.name for module in pkgutil.iter_modules(sessionkit.cache.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_what_they_say(name):
    module = importlib.import_module(f"sessionkit.cache.{name}")
    names = {name: getattr(sessionkit.cache, name) for name in sessionkit.cache.__all__}
    assert doctest.testmod(module, extraglobs=names).failed == 0


def test_what_is_named_is_there():
    for name in sessionkit.cache.__all__:
        assert getattr(sessionkit.cache, name) is not None
    with pytest.raises(AttributeError, match="NoSuchCache"):
        _ = sessionkit.cache.NoSuchCache
