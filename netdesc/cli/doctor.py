"""``netdesc doctor``: checks packages, engines and the machine, each in a process of its own.

``python -m netdesc.cli.doctor TOPIC`` runs one check and prints its result. A crash of a broken
package ends that process only.
"""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import click

from netdesc.cli import ENVIRONMENT, options
from netdesc.cli.output import Output

PACKAGES = (
    "click", "pydantic", "rich", "jinja2", "matplotlib", "numpy", "h5py", "safetensors",
    "numba", "torch", "triton", "wandb", "mlflow", "tensorboard", "tonic", "optuna",
)  # fmt: skip
ENGINES = ("engine reference", "engine cpu", "engine cuda")
_OPTIONAL = {
    "triton": "the CUDA engine",
    **{name: f"train --log {name}" for name in ("wandb", "mlflow", "tensorboard")},
    "tonic": 'data of type "tonic"',
    "optuna": "sweep",
}
"""Optional packages, and what needs them."""
_SPARED = {"jinja2", "matplotlib", "engine cuda", "machine", *_OPTIONAL}
"""Topics without which a network can be trained on the CPU: their failure is a warning."""
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
    with ThreadPoolExecutor(2) as pool:
        findings = list(pool.map(_run_check, PACKAGES))
        if all(finding.state != "fault" for finding in findings):
            findings += pool.map(_run_check, (*ENGINES, "machine"))
    states = {finding.state for finding in findings}
    worst = next(state for state in ("fault", "warning", "ok") if state in states)
    code = ENVIRONMENT if worst == "fault" else 0
    if output.as_json:
        rows = [finding._asdict() for finding in findings]
        output.print_json({"status": worst, "exit_code": code, "rows": rows})
        return code
    for topic, state, found, way_out in findings:
        if state != "ok" or not output.quiet:
            advice = [f"{'':26}→ {way_out}"] if way_out else []
            output.print(f"{state:8}{topic:18}{found}", *advice)
    output.print("", f"training {'does not work' if code else 'works'} here")
    return code


def _run_check(topic: str) -> Finding:
    """Checks a topic in another process; a process that fails is the finding."""
    worst = "warning" if topic in _SPARED else "fault"
    way_out = "train with --engine reference, which is slow" if topic == ENGINES[1] else ""
    if topic in PACKAGES:
        way_out = f"{sys.executable} -m pip install --force-reinstall '{topic}{_required(topic)}'"
    # -P: a file in the working directory must not be imported instead of a package.
    arguments = [sys.executable, "-P", "-m", "netdesc.cli.doctor", topic]
    ended = subprocess.run(arguments, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if ended.returncode < 0:
        return Finding(topic, worst, f"ended by {signal.Signals(-ended.returncode).name}", way_out)
    text = (ended.stdout if ended.returncode == 0 else ended.stderr).decode(errors="replace")
    last = text.strip().rpartition("\n")[2]
    if ended.returncode == 0 and last.startswith('["'):
        return Finding(topic, *json.loads(last))
    return Finding(topic, worst, last or f"ended with code {ended.returncode}", way_out)


def _required(package: str) -> str:
    """Returns the oldest version that netdesc requires, such as ``>=2.6``."""
    lines = "\n".join(metadata.requires("netdesc") or [])
    match = re.search(rf"^{package}\b.*?(>=[\d.]+)", lines, re.MULTILINE)
    return match[1] if match else ""


def _check_package(name: str) -> tuple[str, ...]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if name not in _OPTIONAL or error.name != name:
            raise
        return "ok", f"not installed; only {_OPTIONAL[name]} needs it"
    distribution = metadata.packages_distributions()[name][0]  # mlflow-skinny holds mlflow
    version, required = metadata.version(distribution), _required(name)
    has, needs = ([int(part) for part in re.findall(r"\d+", text)] for text in (version, required))
    if has < needs:
        advice = f"{sys.executable} -m pip install '{name}{required}'"
        return "warning", f"{version}, but netdesc requires {required}", advice
    return "ok", version


def _check_engine(topic: str) -> tuple[str, ...]:
    """Compares the loss and the gradients of a small network with those of the reference."""
    import torch

    import netdesc
    from netdesc.kernels.cuda.availability import why_unavailable
    from netdesc.kernels.engines import use_engine
    from netdesc.resources import shipped

    name = topic.removeprefix("engine ")
    is_on_gpu = name == "cuda" and torch.cuda.is_available()
    device = torch.device("cuda" if is_on_gpu else "cpu")
    if name == "cuda" and (reason := why_unavailable(device)) is not None:
        return "warning" if is_on_gpu else "ok", f"not used: {reason}"
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
    for tensor, expected in zip(*results, strict=True):
        assert torch.allclose(tensor, expected, rtol=1e-4, atol=1e-6), "differs from the reference"
    return "ok", "a step of training equals the reference"


def _check_machine() -> tuple[str, ...]:
    from netdesc import machine

    cores, free = machine.cores(), machine.memory().available
    folder = next(folder for folder in Path("runs").absolute().parents if folder.is_dir())
    disk = shutil.disk_usage(folder).free
    memory = "" if free is None else f"{free / _GIB:,.1f} GiB of memory and "
    free_text = f"{memory}{disk / _GIB:,.1f} GiB for runs free"
    resources = f"{cores.usable} of {cores.present} cores; {free_text}"
    if not os.access(folder, os.W_OK) or disk < _GIB:
        return "warning", resources, "name another folder with --run-dir"
    return "ok", resources


if __name__ == "__main__":
    topic = sys.argv[1]
    check = _check_engine if topic in ENGINES else _check_package
    result = _check_machine() if topic == "machine" else check(topic)
    print(json.dumps(result), flush=True)
