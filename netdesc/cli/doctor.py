"""``netdesc doctor``: checks packages, engines and the machine, each in a process of its own.

``python -m netdesc.cli.doctor TOPIC`` runs one check and prints its result. A crash of a broken
package ends that process only.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import click

import netdesc
from netdesc.cli import ENVIRONMENT, options
from netdesc.cli.output import Output, SafeText, escape
from netdesc.resources import shipped

PACKAGES = (
    "click", "pydantic", "rich", "jinja2", "plotly", "matplotlib", "numpy", "h5py", "safetensors",
    "numba", "torch", "tensorboard", "tonic",
)  # fmt: skip
ENGINES = ("engine reference", "engine cpu", "engine cuda")
_MODULES = {"matplotlib": "matplotlib.figure", "safetensors": "safetensors.numpy"}
"""The module to import, where it is not named as its package."""
_USES = {"tensorboard": "train --tensorboard", "tonic": 'data of type "tonic"'}
"""What needs an optional package."""
_SPARED = {"jinja2", "plotly", "matplotlib", "tensorboard", "tonic", "engine cuda", "machine"}
"""Topics without which a network can be trained on the CPU: their failure is a warning."""
_COLOURS = {"ok": "\x1b[32m", "warning": "\x1b[33m", "fault": "\x1b[31m"}
_TIMEOUT_S = 300.0
_GIB = 1 << 30


class Finding(NamedTuple):
    """What a check found, and what to do if ``state`` is ``warning`` or ``fault``."""

    topic: str
    state: str
    found: str
    way_out: str = ""


@click.command(epilog="\b\nExamples:\n  netdesc doctor\n  netdesc doctor --json > doctor.json")
@options.json_and_quiet
def doctor(output: Output) -> int:
    """Check that netdesc works on this machine, and say how to repair what does not.

    The command tests the packages and the engines, and checks cores, memory and disk. The first
    time it compiles kernels, as the first training would. The exit code is 3 if something that
    training needs is broken. With --quiet, it prints warnings and faults only.
    """
    output.info("testing packages and engines; compiling kernels may take half a minute …")
    findings = _check_all(PACKAGES)
    if all(finding.state != "fault" for finding in findings):
        findings += _check_all((*ENGINES, "machine"))
    states = {finding.state for finding in findings}
    worst = next(state for state in ("fault", "warning", "ok") if state in states)
    code = ENVIRONMENT if worst == "fault" else 0
    if output.as_json:
        rows = [finding._asdict() for finding in findings]
        output.print_json({"status": worst, "exit_code": code, "rows": rows})
        return code
    for topic, state, found, way_out in findings:
        if state != "ok" or not output.quiet:
            colour = _COLOURS[state] if output.has_colour(sys.stdout) else ""
            reset = "\x1b[0m" if colour else ""
            output.print(SafeText(f"{colour}{state:8}{reset}{topic:18}{escape(found)}"))
            if way_out:
                output.print(f"{'':26}→ {way_out}")
    output.print("", f"training {'does not work' if code else 'works'} here")
    return code


def _check_all(topics: Iterable[str]) -> list[Finding]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(_run_check, topics))


def _run_check(topic: str) -> Finding:
    """Checks a topic in another process; a process that fails is the finding."""
    worst = "warning" if topic in _SPARED else "fault"
    if topic in PACKAGES:
        way_out = f"{sys.executable} -m pip install --force-reinstall '{topic}{_required(topic)}'"
    else:
        way_out = "train with --engine reference, which is slow" if topic == ENGINES[1] else ""
    home = str(Path(netdesc.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    try:
        # -P: a file in the working directory must not be imported instead of a package.
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "netdesc.cli.doctor", topic],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding(topic, worst, f"did not end within {_TIMEOUT_S:g} seconds", way_out)
    if ended.returncode < 0:
        return Finding(topic, worst, f"ended by {signal.Signals(-ended.returncode).name}", way_out)
    lines = (ended.stdout if ended.returncode == 0 else ended.stderr).decode(errors="replace")
    last = next((line.strip() for line in reversed(lines.splitlines()) if line.strip()), "")
    if ended.returncode == 0 and last.startswith('["'):
        return Finding(topic, *json.loads(last))
    return Finding(topic, worst, last or f"ended with code {ended.returncode}", way_out)


def _required(package: str) -> str:
    """Returns the range that netdesc requires, such as ``>=2.6``; it uses no other kind."""
    for line in metadata.requires("netdesc") or []:
        match = re.match(rf"{package}\s*(>=[\d.]+)", line)
        if match is not None:
            return match[1]
    return ""


def _check_package(name: str) -> tuple[str, ...]:
    try:
        importlib.import_module(_MODULES.get(name, name))
    except ModuleNotFoundError as error:
        if name not in _USES or error.name != name:
            raise
        return "ok", f"not installed; only {_USES[name]} needs it"
    version, required = metadata.version(name), _required(name)
    has, needs = ([int(part) for part in re.findall(r"\d+", text)] for text in (version, required))
    if has < needs:
        advice = f"{sys.executable} -m pip install '{name}{required}'"
        return "warning", f"{version}, but netdesc requires {required}", advice
    return "ok", version


def _check_engine(name: str) -> tuple[str, ...]:
    """Compares the loss and the gradients of a small network with those of the reference."""
    import torch

    from netdesc.kernels.cuda.availability import is_interpreted, why_unavailable
    from netdesc.kernels.engines import use_engine

    has_gpu = name == "cuda" and torch.cuda.is_available()
    device = torch.device("cuda" if has_gpu else "cpu")
    if name == "cuda" and (reason := why_unavailable(device)) is not None:
        return "warning" if has_gpu else "ok", f"not used: {reason}"
    description = netdesc.load(shipped("netdesc/templates/blank.json"), with_files=False)
    input_TBN = (torch.arange(200 * 2 * 40) % 3 == 0).float().reshape(200, 2, 40)
    results: list[list[torch.Tensor]] = []
    for engine, place in ((name, device), ("reference", torch.device("cpu"))):
        compiled = netdesc.compile(description)
        model = compiled.model.to(place)
        with use_engine(engine):
            output_TBN = model(input_TBN.to(place))
            loss = compiled.loss(output_TBN, torch.zeros_like(output_TBN))
            gradients = torch.autograd.grad(loss, tuple(model.parameters()))
        results.append([tensor.detach().cpu() for tensor in (loss, *gradients)])
    assert results[1][0] > 0, "no neuron spikes"
    for tensor, expected in zip(*results, strict=True):
        assert torch.allclose(tensor, expected, rtol=1e-4, atol=1e-6), "differs from the reference"
    slow = ", but interpreted, which is very slow" if name == "cuda" and is_interpreted() else ""
    return "ok", f"a step of training equals the reference{slow}"


def _check_machine() -> tuple[str, ...]:
    import torch

    from netdesc.kernels import machine

    cores, threads, free = machine.cores(), torch.get_num_threads(), machine.memory().available
    folder = next(folder for folder in Path("runs").absolute().parents if folder.is_dir())
    disk = shutil.disk_usage(folder).free
    found = f"{threads} threads on {cores.usable} of {cores.present} cores; "
    if free is not None:
        found += f"{free / _GIB:,.1f} GiB of memory and "
    found += f"{disk / _GIB:,.1f} GiB for runs are free"
    if threads > cores.usable:
        return "warning", found, f"export OMP_NUM_THREADS={cores.usable}"
    if not os.access(folder, os.W_OK) or disk < _GIB:
        return "warning", found, "name another folder with --run-dir"
    return "ok", found


if __name__ == "__main__":
    topic = sys.argv[1]
    if topic in PACKAGES:
        result = _check_package(topic)
    elif topic in ENGINES:
        result = _check_engine(topic.removeprefix("engine "))
    else:
        result = _check_machine()
    print(json.dumps(result), flush=True)
