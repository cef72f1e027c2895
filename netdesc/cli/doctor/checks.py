"""``netdesc doctor``: looks at everything in ``probes``, in a process that may end of it."""

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
from netdesc.cli.doctor.probes import PROBES, Finding, Probe

PATIENCE_S = 300.0
"""Bounds all probes of one process. Compiling the kernels takes a minute on a busy machine."""

_ANSWER = '{"topic": '


def examine() -> dict[str, Finding]:
    """What was found of everything, by topic."""
    return run_probes(PROBES) | {"terminal": _look_at_terminal()}


def run_probes(probes: Sequence[Probe]) -> dict[str, Finding]:
    """Runs the probes in another process, and those behind one that ends it in a new one."""
    found: dict[str, Finding] = {}
    failed: set[str] = set()
    left = list(probes)
    while left:
        answers, problem = _run_process([probe.topic for probe in left])
        found |= answers
        left = [probe for probe in left if probe.topic not in answers]
        if left:
            ended = left.pop(0)
            failed.add(ended.topic)
            found[ended.topic] = Finding(ended.worst, problem, ended.way_out)
        for probe in list(left):
            broken = [topic for topic in probe.needs if topic in failed]
            if broken:
                failed.add(probe.topic)
                left.remove(probe)
                reason = f"not tried, because {broken[0]} is broken"
                found[probe.topic] = Finding(probe.worst, reason, f"mend {broken[0]} first")
    return {probe.topic: found[probe.topic] for probe in probes}


def _run_process(topics: Sequence[str]) -> tuple[dict[str, Finding], str]:
    """What the probes found up to the first that ends the process, and why it ended."""
    home = str(Path(netdesc.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    try:
        ended = subprocess.run(
            # -P leaves out the working directory, whose files must not pass for packages.
            [sys.executable, "-P", "-m", "netdesc.cli.doctor.probes", *topics],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            timeout=PATIENCE_S,
            check=False,
        )
        output, problem = ended.stdout, _read_last_words(ended.stderr, ended.returncode)
    except subprocess.TimeoutExpired as slow:
        output, problem = slow.stdout or b"", f"did not end within {PATIENCE_S:g} seconds"
    except OSError as error:
        output, problem = b"", f"cannot start {sys.executable}: {error.strerror}"
    lines = output.decode(errors="replace").splitlines()
    answers = [json.loads(line) for line in lines if line.startswith(_ANSWER)]
    return {each.pop("topic"): Finding(**each) for each in answers}, problem


def _read_last_words(stderr: bytes, code: int) -> str:
    """Why a process ended: the signal, or the last line that it wrote."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    lines = stderr.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), f"ended with {code=}")


def _look_at_terminal() -> Finding:
    """The terminal of this process: the other one has none."""
    encoding = (sys.stdout.encoding or "unknown").lower()
    kind = f"{shutil.get_terminal_size().columns} columns" if sys.stdout.isatty() else "no terminal"
    colour = ", NO_COLOR" if os.environ.get("NO_COLOR") else ""
    found = f"{kind}{colour}, {encoding}, locale {locale.setlocale(locale.LC_CTYPE)}"
    if encoding.replace("-", "") == "utf8":
        return Finding("ok", found)
    return Finding("warning", found, "export PYTHONUTF8=1, or some signs are shown as ?")
