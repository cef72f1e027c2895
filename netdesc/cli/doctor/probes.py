"""The probes of ``netdesc doctor``: each checks one package, engine or resource of a machine.

``python -m netdesc.cli.doctor.probes TOPIC...`` runs the probes of the given topics and prints a
line of JSON for each. Exceptions are not caught: like a crash of a broken package, they end the
process, and ``checks`` finds out the reason.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import platform
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import netdesc
from netdesc.kernels import machine

if TYPE_CHECKING:
    from netdesc.modules import Network

State = Literal["ok", "warning", "fault"]

_GIB = 1 << 30


class ProbeResult(NamedTuple):
    """The result of a probe.

    ``found`` describes what the probe found. ``way_out`` says what to do if the state is not
    ``ok``.
    """

    state: State
    found: str
    way_out: str = ""


class Probe(NamedTuple):
    """A check of one package, engine or resource, which ``topic`` names.

    If ``check`` raises an exception or kills the process, the probe has failed: its state is
    ``worst``, and ``way_out`` says what to do. A probe is skipped if one of the probes in ``needs``
    has failed.
    """

    topic: str
    check: Callable[[], ProbeResult]
    way_out: str
    worst: State = "fault"
    needs: tuple[str, ...] = ()


# Python and packages


def _python() -> ProbeResult:
    found = f"{platform.python_version()}, {sys.executable}"
    required = _required_versions().get("python", "")
    if _is_in_range(platform.python_version(), required):
        return ProbeResult("ok", found)
    return ProbeResult("fault", found, f"install Python {required} and netdesc in it")


def _netdesc() -> ProbeResult:
    from netdesc.resources import shipped

    shipped("examples/oxford.json")
    return ProbeResult("ok", f"{netdesc.__version__}, {Path(netdesc.__file__).resolve().parent}")


@functools.cache
def _required_versions() -> dict[str, str]:
    """Returns the required versions of Python and packages; empty if netdesc is not installed."""
    try:
        own = metadata.metadata("netdesc")
    except metadata.PackageNotFoundError:
        return {}
    versions = {"python": own["Requires-Python"] or ""}
    for line in own.get_all("Requires-Dist") or []:
        match = re.match(r"([A-Za-z0-9._-]+)\s*([^;]*)", line)
        assert match is not None, line
        versions.setdefault(match[1].lower(), match[2].strip())
    return versions


def _is_in_range(version: str, required: str) -> bool:
    """Whether a version is in a range such as ``>=2.6``. netdesc uses no other kind of range."""

    def release(text: str) -> list[int]:
        match = re.match(r"\d+(\.\d+)*", text)
        return [int(part) for part in match[0].split(".")] if match else []

    return not required.startswith(">=") or release(version) >= release(required[2:])


def _package(name: str, module: str, worst: State = "fault") -> Probe:
    """Returns a probe that imports a package and checks its version."""
    required = _required_versions().get(name, "")
    source = shlex.quote(name + required)
    install = f"{shlex.quote(sys.executable)} -m pip install"
    try:
        metadata.version(name)
        again = " --force-reinstall"
    except metadata.PackageNotFoundError:
        again = ""

    def check() -> ProbeResult:
        importlib.import_module(module)
        version = metadata.version(name)
        if not _is_in_range(version, required):
            found = f"{version}, but netdesc requires {required}"
            return ProbeResult("warning", found, f"{install} {source}")
        return ProbeResult("ok", f"{version} (required: {required})" if required else version)

    return Probe(name, check, f"{install}{again} {source}", worst)


def _numba() -> Probe:
    """Returns the probe of Numba, whose import fails if its number of threads is not positive."""
    probe = _package("numba", "numba")
    is_refused = re.fullmatch(r"\s*(-\d+|0+)\s*", os.environ.get("NUMBA_NUM_THREADS", ""))
    return probe._replace(way_out="unset NUMBA_NUM_THREADS") if is_refused else probe


def _optional_package(name: str, module: str, purpose: str) -> Probe:
    """Returns the probe of a package that only ``purpose`` needs: it may be missing."""
    probe = _package(name, module, "warning")

    def check() -> ProbeResult:
        try:
            return probe.check()
        except ModuleNotFoundError as error:
            if error.name not in (name, module):  # the package is there, but not all that it needs
                raise
            return ProbeResult("ok", f"not installed; only {purpose} needs it")

    return probe._replace(check=check)


# Engines


def _network() -> Network:
    """Returns a small network."""
    from netdesc.description.models import Document
    from netdesc.graph import build_graph
    from netdesc.modules import build

    layer = {"type": "dense", "units": 40, "neuron": "cuba", "weight_scale": 4}
    document = {
        "format": 1,
        "name": "doctor",
        "time": {"steps": 40},
        "input": {"shape": [12]},
        "neurons": {
            "cuba": {"type": "cuba", "threshold": 0.5, "current_decay": 0.7, "voltage_decay": 0.3}
        },
        "layers": [{"name": "hidden", **layer}, {"name": "output", **layer}],
        "loss": {"type": "spike_time", "time_constant_ms": 2.0},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.01}},
    }
    return build(build_graph(Document.model_validate_json(json.dumps(document))), seed=0)


def _training_step(engine: str, device: str = "cpu") -> list[Any]:
    """Returns the loss of the network and the gradients of its parameters, from ``engine``."""
    import torch

    from netdesc.kernels.engine import use_engine
    from netdesc.losses import build_loss

    model = _network().to(device)
    random = torch.Generator().manual_seed(0)
    input_TBN = (torch.rand(40, 2, 12, generator=random) < 0.2).float().to(device)
    with use_engine(engine):
        output_TBN = model(input_TBN)
        loss = build_loss(model.graph)(output_TBN, torch.zeros_like(output_TBN))
        gradients = torch.autograd.grad(loss, tuple(model.parameters()))
    return [each.detach().cpu() for each in (loss, *gradients)]


def _assert_equals_reference(results: list[Any]) -> None:
    import torch

    for one, other in zip(results, _training_step("reference"), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6), "differs from the reference"


def _engine_reference() -> ProbeResult:
    loss, *_ = _training_step("reference")
    assert loss > 0, "the neurons of the reference engine do not spike"
    return ProbeResult("ok", "works")


def _engine_cpu() -> ProbeResult:
    from netdesc.kernels.cpu.precompile import precompile
    from netdesc.training.kernel_compilation import needs_of

    precompile(needs_of(_network()))
    began = time.perf_counter()
    results = _training_step("cpu")
    seconds = time.perf_counter() - began
    _assert_equals_reference(results)
    found = "kernels are compiled; a step of training equals the reference"
    return ProbeResult("ok", f"{found}, in {seconds:.2g} s")


def _cuda() -> ProbeResult:
    import torch

    built_for = torch.version.cuda
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_driver = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists()
    nothing = "a driver, no usable GPU" if has_driver else "no driver, no GPU"
    devices = ", ".join(map(torch.cuda.get_device_name, range(count))) or nothing
    found = f"torch is built {f'for CUDA {built_for}' if built_for else 'without CUDA'}; {devices}"
    if has_driver and not built_for:
        way_out = "to train on the GPU, see https://pytorch.org/get-started/locally"
        return ProbeResult("warning", found, way_out)
    return ProbeResult("ok", found)


_UNTIL_REPAIRED = "until it is repaired, train with --device cpu"


def _engine_cuda() -> ProbeResult:
    import torch

    from netdesc.kernels.cuda.availability import is_interpreted, why_unavailable

    has_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if has_gpu else "cpu")
    reason = why_unavailable(device)
    if reason is not None:
        if has_gpu:
            return ProbeResult("warning", f"cannot run: {reason}", _UNTIL_REPAIRED)
        return ProbeResult("ok", f"not used: {reason}")
    _assert_equals_reference(_training_step("cuda", device.type))
    found = "a step of training equals the reference"
    if not is_interpreted():
        return ProbeResult("ok", found)
    found += ", but interpreted on the CPU, which is very slow"
    way_out = "unset TRITON_INTERPRET to compute on the GPU"
    return ProbeResult("warning", found, way_out) if has_gpu else ProbeResult("ok", found)


# The machine


def _cores() -> ProbeResult:
    import numba
    import torch

    cores = machine.cores()
    threads = min(torch.get_num_threads(), numba.get_num_threads())
    found = f"{cores.usable} of {cores.present} can be used, {threads} threads"
    if cores.quota is not None:
        found += f" (quota of the container: {cores.quota:g})"
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    found += "".join(f"; {name}={os.environ[name]}" for name in names if name in os.environ)
    if threads <= cores.usable:
        return ProbeResult("ok", found)
    way_out = f"export OMP_NUM_THREADS={cores.usable}, or threads wait for one another"
    return ProbeResult("warning", found, way_out)


def _memory() -> ProbeResult:
    total, available = machine.memory()
    if total is None or available is None:
        return ProbeResult("ok", "unknown: the system does not report it")
    found = f"{available / _GIB:.1f} of {total / _GIB:.1f} GiB free"
    if available >= _GIB:
        return ProbeResult("ok", found)
    return ProbeResult("warning", found, "close other programs; torch alone takes half a GiB")


_ANOTHER_FOLDER = "go to another folder, or name one with --run-dir"


def _runs() -> ProbeResult:
    """Checks that ``runs``, or its nearest existing parent, is writable and has free space."""
    runs = Path("runs").absolute()
    folder = next(each for each in (runs, *runs.parents) if each.is_dir())
    with tempfile.TemporaryFile(dir=folder):
        free = shutil.disk_usage(folder).free
    found = f"{free / _GIB:,.1f} GiB free for {runs}"
    if free >= _GIB:
        return ProbeResult("ok", found)
    return ProbeResult("warning", found, f"delete files, or {_ANOTHER_FOLDER}")


PROBES = (
    Probe("Python", _python, "install Python again"),
    Probe("netdesc", _netdesc, "install netdesc again; netdesc init needs its examples", "warning"),
    _package("click", "click"),
    _package("pydantic", "pydantic"),
    _package("rich", "rich"),
    _package("jinja2", "jinja2", "warning"),
    _package("plotly", "plotly", "warning"),
    _package("matplotlib", "matplotlib.figure", "warning"),
    _package("numpy", "numpy"),
    _package("h5py", "h5py"),
    _package("safetensors", "safetensors.numpy"),
    _numba(),
    _package("torch", "torch"),
    _optional_package("tensorboard", "tensorboard", "train --tensorboard"),
    _optional_package("tonic", "tonic", 'data of type "tonic"'),
    Probe("engine reference", _engine_reference, "repair torch first", needs=("torch", "pydantic")),
    Probe(
        "engine cpu",
        _engine_cpu,
        "until it is repaired, train with --engine reference, which is slow; if Numba cannot write "
        "its cache, set XDG_CACHE_HOME to a writable folder",
        # Without "numba": if Numba is disabled, the message of the engine says what to do.
        needs=("engine reference",),
    ),
    Probe("CUDA", _cuda, "repair torch first", "warning", needs=("torch",)),
    Probe("engine cuda", _engine_cuda, _UNTIL_REPAIRED, needs=("engine reference",)),
    Probe("cores", _cores, "repair torch and numba first", "warning", needs=("torch", "numba")),
    Probe("memory", _memory, "check how the system reports its memory", "warning"),
    Probe("runs", _runs, _ANOTHER_FOLDER, "warning"),
)
"""All probes in the order of the output. Packages that load fast come first, because after each
failure a new process has to load the packages again."""


if __name__ == "__main__":
    by_topic = {probe.topic: probe for probe in PROBES}
    for topic in sys.argv[1:]:
        print(json.dumps({"topic": topic, **by_topic[topic].check()._asdict()}), flush=True)
