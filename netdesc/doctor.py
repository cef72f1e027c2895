"""``netdesc doctor``: what works here, tried out, and how to get what does not.

What may break a process (packages with compiled parts) is tried in another one, see ``probes``.
"""

from __future__ import annotations

import json
import locale
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

import netdesc
from netdesc import machine
from netdesc.probes import IMPORT
from netdesc.shipped import NotShippedError, shipped

State = Literal["ok", "warning", "fault"]

PATIENCE_S = 60.0
"""A probe that takes longer hangs. Compiling a kernel on a busy machine takes some ten seconds."""

_GIB = 1 << 30


class Row(NamedTuple):
    """Something that was looked at. ``way_out`` is what to do where it is not ``ok``."""

    topic: str
    state: State
    found: str
    way_out: str = ""


class Package(NamedTuple):
    """A package that netdesc needs: the module to import, and what is lost without it."""

    module: str
    lost: str


_TRAINING = "training"

PACKAGES = {
    "click": Package("click", _TRAINING),
    "h5py": Package("h5py", _TRAINING),
    "jinja2": Package("jinja2", "the report"),
    "matplotlib": Package("matplotlib.figure", "pictures of spikes"),
    "numba": Package("numba", _TRAINING),
    "numpy": Package("numpy", _TRAINING),
    "plotly": Package("plotly", "the report"),
    "pydantic": Package("pydantic", _TRAINING),
    "rich": Package("rich", _TRAINING),
    "safetensors": Package("safetensors.numpy", _TRAINING),
    "torch": Package("torch", _TRAINING),
}


@dataclass(frozen=True)
class Outcome:
    """How a probe ended: with what it found, or with the reason why it did not."""

    found: Mapping[str, Any] | None
    problem: str = ""


def examine(runs: Path = Path("runs")) -> list[Row]:
    """Everything, one row each; ``runs`` is where training would put its runs."""
    imports = [
        IMPORT + package.module
        for package in PACKAGES.values()
        if package.module.split(".")[0] != "click"  # this very command runs on it
    ]
    more = "threads", "cuda", "engine reference", "kernels", "engine cpu", "engine cuda"
    outcomes = try_out([*imports, *more])
    return [
        *_python(),
        *_packages(outcomes),
        _engine_reference(outcomes),
        _engine_cpu(outcomes),
        _kernels(outcomes),
        _cores(outcomes, machine.cores()),
        *_cuda(outcomes),
        _memory(machine.memory()),
        _disk(runs, machine.disk(runs)),
        _terminal(),
    ]


# Trying things out in another process


def try_out(probes: Sequence[str]) -> dict[str, Outcome]:
    """How each probe of ``netdesc.probes`` ends; one that ends its process is in nobody's way."""
    outcomes: dict[str, Outcome] = {}
    left = list(probes)
    while left:
        needed = "torch" if not left[0].startswith(IMPORT) else ""
        broken = outcomes.get(IMPORT + needed)
        if broken is not None and broken.found is None:
            outcomes[left.pop(0)] = Outcome(None, f"not tried, because {needed} is broken")
            continue
        found, problem = _run_probes(left)
        for name in list(left):
            if name not in found:
                break
            outcomes[name] = Outcome(found[name])
            left.remove(name)
        if left:
            outcomes[left.pop(0)] = Outcome(None, problem)
    return outcomes


def _run_probes(probes: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], str]:
    """What the probes found up to the first that fails, and why that did."""
    home = str(Path(netdesc.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    try:
        ended = subprocess.run(
            # Without the working directory, whose files must not pass for packages.
            [sys.executable, "-P", "-m", "netdesc.probes", *probes],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            timeout=PATIENCE_S,
            check=False,
        )
        out, problem = ended.stdout, _last_words(ended.stderr, ended.returncode)
    except subprocess.TimeoutExpired as slow:
        out, problem = slow.stdout or b"", f"did not end within {PATIENCE_S:g} seconds"
    except OSError as error:
        out, problem = b"", f"cannot start {sys.executable}: {error.strerror}"
    found: dict[str, Mapping[str, Any]] = {}
    for line in out.decode(errors="replace").splitlines():
        if line.startswith('{"probe": '):
            record = json.loads(line)
            found[record["probe"]] = record["found"]
    return found, problem


def _last_words(stderr: bytes, code: int) -> str:
    """Why a process ended: the last line that it wrote, or the signal."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"ended with exit code {code}"


# Python and packages


def _python() -> Iterator[Row]:
    version, place = platform.python_version(), Path(netdesc.__file__).resolve().parent
    wanted = _wanted_python()
    met = _meets(version, wanted)
    way_out = "" if met else f"install Python {wanted} and netdesc in it"
    yield Row("Python", "ok" if met else "fault", f"{version}, {sys.executable}", way_out)
    try:
        shipped("examples/oxford.json")
        yield Row("netdesc", "ok", f"{netdesc.__version__}, {place}")
    except NotShippedError:
        found = f"{netdesc.__version__}, {place}, without its data and examples"
        yield Row("netdesc", "warning", found, "install netdesc again; netdesc init needs them")


def _packages(outcomes: Mapping[str, Outcome]) -> Iterator[Row]:
    ranges = _requirements()
    for name, package in PACKAGES.items():
        wanted = ranges.get(name, "")
        worst: State = "fault" if package.lost == _TRAINING else "warning"
        outcome = outcomes.get(IMPORT + package.module, Outcome({}))
        yield _package(name, package, wanted, outcome, worst, name + wanted)
    yield Row("nir", "ok", "not needed: netdesc does not read or write .nir files yet")


def _package(
    name: str, package: Package, wanted: str, outcome: Outcome, worst: State, source: str
) -> Row:
    """What became of a package, which pip installs as ``source``; ``worst`` is its absence."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = ""
    install = f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(source)}"
    if outcome.found is None and not version:
        return Row(name, worst, f"missing; without it no {package.lost}", install)
    if outcome.found is None:
        again = install.replace("pip install", "pip install --force-reinstall")
        return Row(name, worst, f"{version}, cannot be imported: {outcome.problem}", again)
    if not _meets(version, wanted):
        return Row(name, "warning", f"{version}, but netdesc wants {wanted}", install)
    found = version or "there, of unknown version"
    return Row(name, "ok", f"{found} (wanted: {wanted})" if wanted else found)


def _wanted_python() -> str:
    try:
        return metadata.metadata("netdesc")["Requires-Python"] or ""
    except metadata.PackageNotFoundError:  # run from a clone, not installed
        return ""


def _requirements() -> dict[str, str]:
    """The versions that netdesc wants of its packages, as they stand in its metadata."""
    try:
        lines = metadata.requires("netdesc") or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        match = re.match(r"([A-Za-z0-9._-]+)\s*([^;]*)", line)
        assert match is not None, line
        found.setdefault(match[1].lower(), match[2].strip())
    return found


def _meets(version: str, wanted: str) -> bool:
    """Whether a version is in a range such as ``>=2.6``, the only kind that netdesc asks for."""
    lowest = wanted.removeprefix(">=")
    return not wanted.startswith(">=") or _release(version) >= _release(lowest)


def _release(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


# Engines


def _engine_reference(outcomes: Mapping[str, Outcome]) -> Row:
    outcome = outcomes["engine reference"]
    if outcome.found is None:
        return Row("engine reference", "fault", outcome.problem, "mend torch first")
    return Row("engine reference", "ok", "works")


def _engine_cpu(outcomes: Mapping[str, Outcome]) -> Row:
    outcome = outcomes["engine cpu"]
    if outcome.found is None:
        way_out = "until it is mended, train with --engine reference, which is slow"
        if "locator" in outcome.problem:
            way_out = "set NUMBA_CACHE_DIR to a folder that can be written"
        return Row("engine cpu", "fault", outcome.problem, way_out)
    what = "a step of training" if outcome.found["whole"] else "a small kernel"
    took = f"{what} equals the reference, in {outcome.found['seconds']:g} s"
    return Row("engine cpu", "ok", took)


def _kernels(outcomes: Mapping[str, Outcome]) -> Row:
    outcome = outcomes["kernels"]
    if outcome.found is None:
        return Row("compiled kernels", "warning", outcome.problem, "mend engine cpu first")
    found = outcome.found
    where = f"{found['kept']} of {found['kernels']} for training are kept in {found['folder']}"
    if not found["writable"]:
        way_out = (
            "set NUMBA_CACHE_DIR to a folder that can be written, or every command compiles anew"
        )
        return Row("compiled kernels", "warning", f"{where}, which cannot be written", way_out)
    if found["kept"] < found["kernels"]:
        where += "; the first training compiles the rest, in up to a minute"
    return Row("compiled kernels", "ok", where)


def _cuda(outcomes: Mapping[str, Outcome]) -> Iterator[Row]:
    """GPUs, the compiler for them, and the engine that needs both; nothing of it is a must."""
    outcome = outcomes["cuda"]
    if outcome.found is None:
        yield Row("CUDA", "warning", outcome.problem, "mend torch first")
        return
    built_for, devices = outcome.found["built_for"], outcome.found["devices"]
    torch = f"torch is built for CUDA {built_for}" if built_for else "torch is built without CUDA"
    driver = shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()
    seen = ", ".join(devices) or ("a driver, no usable GPU" if driver else "no driver, no GPU")
    if driver and not built_for:
        way_out = "to train on the GPU, see https://pytorch.org/get-started/locally"
        yield Row("CUDA", "warning", f"{torch}; {seen}", way_out)
    else:
        yield Row("CUDA", "ok", f"{torch}; {seen}")
    try:
        yield Row("Triton", "ok", metadata.version("triton"))
    except metadata.PackageNotFoundError:
        yield Row("Triton", "ok", "not installed; nothing but engine cuda needs it")
    yield _engine_cuda(outcomes["engine cuda"], devices)


def _engine_cuda(outcome: Outcome, devices: Sequence[str]) -> Row:
    elsewhere = "until it is mended, train with --device cpu"
    if outcome.found is None:
        return Row("engine cuda", "fault" if devices else "warning", outcome.problem, elsewhere)
    reason = outcome.found.get("obstacle")
    if reason is not None and not devices:
        return Row("engine cuda", "ok", f"not used: {reason}")
    if reason is not None:
        return Row("engine cuda", "warning", f"cannot run: {reason}", elsewhere)
    works = "a step of training equals the reference"
    if not outcome.found["interpreted"]:
        return Row("engine cuda", "ok", works)
    slow = f"{works}, but interpreted on the CPU, which is very slow"
    if not devices:
        return Row("engine cuda", "ok", slow)
    return Row("engine cuda", "warning", slow, "unset TRITON_INTERPRET to compute on the GPU")


# The machine


def _cores(outcomes: Mapping[str, Outcome], cores: machine.Cores) -> Row:
    found = f"{cores.usable} of {cores.present} can be used"
    if cores.quota is not None:
        found += f" (quota of the container: {cores.quota:g})"
    settings = [
        f"{name}={os.environ[name]}"
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
        if name in os.environ
    ]
    threads = outcomes["threads"].found
    if threads is None:
        return Row(
            "cores", "warning", f"{found}; {outcomes['threads'].problem}", "mend torch first"
        )
    number = min(threads["torch"], threads["numba"])
    found += f", {number} threads"
    if settings:
        found += f"; {', '.join(settings)}"
    if number > cores.usable:
        way_out = f"export OMP_NUM_THREADS={cores.usable}, or threads wait for one another"
        return Row("cores", "warning", found, way_out)
    return Row("cores", "ok", found)


def _memory(memory: machine.Memory) -> Row:
    if memory.available is None or memory.total is None:
        return Row("memory", "ok", "the system does not say")
    free = f"{memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free"
    if memory.available < _GIB:
        return Row("memory", "warning", free, "end other programs; torch alone takes half a GiB")
    return Row("memory", "ok", free)


def _disk(runs: Path, disk: machine.Disk) -> Row:
    elsewhere = "go to another folder, or name one with --run-dir"
    if disk.free is None:
        return Row("runs", "warning", f"cannot write in {disk.folder}: {disk.problem}", elsewhere)
    free = f"{disk.free / _GIB:,.1f} GiB free for {runs.absolute()}"
    if disk.free < _GIB:
        return Row("runs", "warning", free, f"delete what is not needed, or {elsewhere}")
    return Row("runs", "ok", free)


def _terminal() -> Row:
    encoding = (sys.stdout.encoding or "unknown").lower()
    kind = f"{shutil.get_terminal_size().columns} columns" if sys.stdout.isatty() else "no terminal"
    colour = ", NO_COLOR" if os.environ.get("NO_COLOR") else ""
    found = f"{kind}{colour}, {encoding}, locale {locale.setlocale(locale.LC_CTYPE)}"
    if encoding.replace("-", "") != "utf8":
        way_out = "export PYTHONUTF8=1, or some signs are shown as question marks"
        return Row("terminal", "warning", found, way_out)
    return Row("terminal", "ok", found)
