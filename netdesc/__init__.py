"""netdesc compiles a JSON description of a spiking network into a trained network.

A public name's module and the packages, and with them torch if needed, are imported when the name
is first used.
"""

import importlib.util
import os
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netdesc import events as events
    from netdesc.api.compile import Compiled as Compiled
    from netdesc.api.compile import compile as compile
    from netdesc.api.evaluate import evaluate as evaluate
    from netdesc.api.export import export as export
    from netdesc.api.export import export_net as export_net
    from netdesc.api.load import check as check
    from netdesc.api.load import load as load
    from netdesc.api.load import loads as loads
    from netdesc.api.predict import predict as predict
    from netdesc.api.run import run as run
    from netdesc.api.run import run_integer as run_integer
    from netdesc.api.sweep import sweep as sweep
    from netdesc.api.train import train as train
    from netdesc.api.trained_run import Run as Run
    from netdesc.api.verify import verify as verify
    from netdesc.description import Description as Description
    from netdesc.description import DescriptionError as DescriptionError
    from netdesc.exchange import import_net as import_net

__version__ = "0.1.0"

IMPORTING_PROCESS = os.getpid()
"""The process that has imported netdesc, which may be the parent of the present one."""

_NAMES = {
    "netdesc.api.compile": ("Compiled", "compile"),
    "netdesc.api.evaluate": ("evaluate",),
    "netdesc.api.export": ("export", "export_net"),
    "netdesc.api.load": ("check", "load", "loads"),
    "netdesc.api.predict": ("predict",),
    "netdesc.api.run": ("run", "run_integer"),
    "netdesc.api.sweep": ("sweep",),
    "netdesc.api.train": ("train",),
    "netdesc.api.trained_run": ("Run",),
    "netdesc.api.verify": ("verify",),
    "netdesc.description": ("Description", "DescriptionError"),
    "netdesc.exchange": ("import_net",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = [*_MODULES, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        if not name.startswith("_") and importlib.util.find_spec(f"netdesc.{name}") is not None:
            return importlib.import_module(f"netdesc.{name}")
        raise AttributeError(f"module 'netdesc' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    packages = (each.name for each in pkgutil.iter_modules(__path__) if each.ispkg)
    return sorted({*globals(), *__all__, *packages})
