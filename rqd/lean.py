"""Modules that a library imports for others, and that an agent never uses: put off, not loaded."""

from __future__ import annotations

import importlib
import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

#: ``twisted.python.compat`` names it and touches it not; with it come urllib.request, http.client
#: and email: a tenth of a start.
UNUSED = ("http.cookiejar",)


def put_off(name: str) -> None:
    """Let ``name`` (a module in a package) be loaded by the first look into it, not by ``from``.

    Whoever does want it gets it, by an import as well as by an attribute.
    """
    package, _, short = name.rpartition(".")
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    setattr(importlib.import_module(package), short, module)  # an import looks into it otherwise
