"""Measures each program in a separate process, with its own Python interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.bench.peers import ITSELF, PEERS
from netdesc.bench.peers.work import Work

_RUNNER = Path(__file__).parent / "peers" / "runner.py"

_MAX_S = 900.0
"""The time limit of a program for one work. A program that takes longer has failed."""


class BenchError(ValueError):
    """A measurement failed; the error holds one message for the user."""

    exit_code = 3


class BenchUsageError(BenchError):
    """An option of a benchmark has an invalid value."""

    exit_code = 2


@dataclass(frozen=True)
class Answer:
    """The outcome of a program's process.

    ``status`` is ``done``, ``missing`` (the interpreter lacks the program) or ``failed``;
    ``reason`` explains a status other than ``done``. ``result`` holds the measurements.
    """

    name: str
    status: str
    reason: str
    result: dict[str, Any]


def parse_interpreters(words: Sequence[str]) -> dict[str, str]:
    """Maps each program of ``PEERS`` to its Python interpreter, by default this one.

    A word is ``lava-dl=/path/python``, or ``/path/python`` for all programs. BenchUsageError if a
    program is unknown or a path is not a file.
    """
    paths = {"": sys.executable}
    for word in words:
        name, _, path = word.rpartition("=")
        if name not in ("", *PEERS):
            raise BenchUsageError(f'unknown program "{name}"; known are {", ".join(PEERS)}')
        if not Path(path).is_file():
            raise BenchUsageError(f"there is no Python interpreter at {path}")
        paths[name] = path
    return {name: paths.get(name, paths[""]) for name in PEERS}


def parse_peers(text: str | None, known: tuple[str, ...] = PEERS) -> tuple[str, ...]:
    """Parses a comma-separated list of programs; ``all`` stands for all programs in ``known``.

    BenchUsageError if a program is not in ``known``.
    """
    names = [name.strip().lower() for name in (text or "").split(",") if name.strip()]
    if "all" in names:
        return known
    for name in names:
        if name in PEERS and name not in known:
            raise BenchUsageError(f"{name} cannot be measured with this task; {known[0]} can")
        if name not in known:
            raise BenchUsageError(f'unknown program "{name}"; known are {", ".join(known)}, or all')
    return tuple(dict.fromkeys(names))


def run(name: str, work: Work, interpreter: str) -> Answer:
    """Measures the program ``name`` with ``work``, in a new process of ``interpreter``."""
    (answer,) = _answers(name, [work], interpreter)
    return answer


def run_itself(*works: Work) -> list[Answer]:
    """Measures netdesc with each work, all in one process. BenchError if a measurement fails."""
    answers = _answers(ITSELF, works, sys.executable)
    for answer in answers:
        if answer.status != "done":
            raise BenchError(f"measuring netdesc failed: {answer.reason}")
    return answers


def _answers(name: str, works: Sequence[Work], interpreter: str) -> list[Answer]:
    """Returns an answer for each work, or one answer with the reason if the process failed."""
    with tempfile.TemporaryDirectory(prefix="netdesc-bench-") as folder:
        paths = [str(Path(folder) / f"work{number}.npz") for number in range(len(works))]
        for path, work in zip(paths, works, strict=True):
            work.write(Path(path))
        max_s = _MAX_S * len(works)
        try:
            process = subprocess.run(
                [interpreter, str(_RUNNER), name, *paths],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=max_s,
            )
        except subprocess.TimeoutExpired:
            return [Answer(name, "failed", f"it took more than {max_s:g} seconds", {})]
        except OSError as error:
            return [Answer(name, "failed", f"{interpreter}: {error.strerror or error}", {})]
    try:
        results = [json.loads(line) for line in process.stdout.splitlines()]
        statuses = [result.pop("status") for result in results]
    except (ValueError, KeyError, AttributeError, TypeError):  # the output is no JSON of results
        statuses, results = [], []
    if len(statuses) != len(works):
        return [Answer(name, "failed", _last_line(process), {})]
    if "missing" in statuses:
        hint = f"--peer-python {name}=PYTHON names an interpreter that has it"
        return [Answer(name, "missing", f"not installed for {interpreter}; {hint}", {})]
    return [Answer(name, *each) for each in zip(statuses, [""] * len(works), results, strict=True)]


def _last_line(process: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
    if lines:
        return lines[-1]
    if process.returncode == -9:
        return "the system killed it, probably because memory ran out"
    return f"it ended with exit code {process.returncode} and no message"
