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
    from netdesc.api.compile import Compiled, compile
    from netdesc.api.evaluate import evaluate
    from netdesc.api.export import export_net
    from netdesc.api.load import check, load, loads
    from netdesc.api.predict import predict
    from netdesc.api.run import run, run_integer
    from netdesc.api.train import train
    from netdesc.api.trained_run import Run
    from netdesc.api.verify import verify
    from netdesc.description import Description, DescriptionError
    from netdesc.exchange import import_net

__version__ = "0.1.0"

IMPORTING_PROCESS = os.getpid()
"""The process that has imported netdesc, which may be the parent of the present one."""

__all__ = [
    "Compiled",
    "Description",
    "DescriptionError",
    "Run",
    "__version__",
    "check",
    "compile",
    "evaluate",
    "export_net",
    "import_net",
    "load",
    "loads",
    "predict",
    "run",
    "run_integer",
    "train",
    "verify",
]

_MODULES = {
    **dict.fromkeys(("Compiled", "compile"), "netdesc.api.compile"),
    **dict.fromkeys(("Description", "DescriptionError"), "netdesc.description"),
    **dict.fromkeys(("check", "load", "loads"), "netdesc.api.load"),
    **dict.fromkeys(("run", "run_integer"), "netdesc.api.run"),
    "evaluate": "netdesc.api.evaluate",
    "predict": "netdesc.api.predict",
    "Run": "netdesc.api.trained_run",
    "train": "netdesc.api.train",
    "verify": "netdesc.api.verify",
    "export_net": "netdesc.api.export",
    "import_net": "netdesc.exchange",
}


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
