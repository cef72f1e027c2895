"""Runs the probes of ``netdesc doctor`` in another process, because broken packages may kill it."""

from __future__ import annotations

import json
import locale
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import netdesc
from netdesc.cli.doctor.probes import PROBES, Probe, ProbeResult

TIMEOUT_S = 300.0
"""Limit for all probes of one process. Compiling kernels takes a minute on a busy machine."""

_RESULT_PREFIX = '{"topic": '


def run_all_probes() -> dict[str, ProbeResult]:
    """Runs all probes, and checks the terminal of this process. Returns topic -> result."""
    return run_probes(PROBES) | {"terminal": _check_terminal()}


def run_probes(probes: Sequence[Probe]) -> dict[str, ProbeResult]:
    """Runs the probes in another process. Returns topic -> result.

    A probe that kills the process has failed. Those that need it are skipped, and a new process
    runs the others.
    """
    results: dict[str, ProbeResult] = {}
    failed: set[str] = set()
    pending = list(probes)
    while pending:
        new_results, problem = _run_process([probe.topic for probe in pending])
        results |= new_results
        pending = [probe for probe in pending if probe.topic not in new_results]
        if pending:
            crashed = pending.pop(0)
            failed.add(crashed.topic)
            results[crashed.topic] = ProbeResult(crashed.worst, problem, crashed.way_out)
        for probe in list(pending):
            broken = [topic for topic in probe.needs if topic in failed]
            if broken:
                failed.add(probe.topic)
                pending.remove(probe)
                reason = f"not tried, because {broken[0]} is broken"
                results[probe.topic] = ProbeResult(probe.worst, reason, f"repair {broken[0]} first")
    return {probe.topic: results[probe.topic] for probe in probes}


def _run_process(topics: Sequence[str]) -> tuple[dict[str, ProbeResult], str]:
    """Runs probes in one process until it ends. Returns topic -> result, and why it ended."""
    home = str(Path(netdesc.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    try:
        ended = subprocess.run(
            # -P: a file in the working directory must not be imported instead of a package.
            [sys.executable, "-P", "-m", "netdesc.cli.doctor.probes", *topics],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            timeout=TIMEOUT_S,
            check=False,
        )
        output, problem = ended.stdout, _explain_end(ended.stderr, ended.returncode)
    except subprocess.TimeoutExpired as slow:
        output, problem = slow.stdout or b"", f"did not end within {TIMEOUT_S:g} seconds"
    except OSError as error:
        output, problem = b"", f"cannot start {sys.executable}: {error.strerror}"
    lines = output.decode(errors="replace").splitlines()
    records = [json.loads(line) for line in lines if line.startswith(_RESULT_PREFIX)]
    return {each.pop("topic"): ProbeResult(**each) for each in records}, problem


def _explain_end(stderr: bytes, code: int) -> str:
    """Returns why a process ended: its signal, last line on standard error, or exit code."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    lines = stderr.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), f"ended with {code=}")


def _check_terminal() -> ProbeResult:
    """Checks the terminal of this process. The process of the other probes has no terminal."""
    encoding = (sys.stdout.encoding or "unknown").lower()
    kind = f"{shutil.get_terminal_size().columns} columns" if sys.stdout.isatty() else "no terminal"
    colour = ", NO_COLOR" if os.environ.get("NO_COLOR") else ""
    found = f"{kind}{colour}, {encoding}, locale {locale.setlocale(locale.LC_CTYPE)}"
    if encoding.replace("-", "") == "utf8":
        return ProbeResult("ok", found)
    return ProbeResult("warning", found, "export PYTHONUTF8=1, or some characters appear as ?")
