"""Starts a program that is to be measured, in a process and an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.bench.peers import ITSELF, PEERS
from netdesc.bench.peers.work import Work

_RUNNER = Path(__file__).parent / "peers" / "runner.py"

_MAX_S = 900.0
"""A program that takes longer for a piece of work has failed."""


class BenchError(ValueError):
    """What was to be measured cannot be; one message for the user."""

    exit_code = 3


class BenchUsageError(BenchError):
    """A measurement was asked for in words that netdesc does not know."""

    exit_code = 2


@dataclass(frozen=True)
class Answer:
    """How a program's process ended.

    ``status`` is ``done``, ``missing`` (the program is not there for that interpreter) or
    ``failed``; then ``reason`` says why. ``result`` is what the program's side found.
    """

    name: str
    status: str
    reason: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Interpreters:
    """Which Python runs which program: ``by_name``, then ``default``, then the one that runs us."""

    by_name: Mapping[str, str]
    default: str = sys.executable

    @classmethod
    def of(cls, words: Sequence[str]) -> Interpreters:
        """From words such as ``lava-dl=/path/python``, or a path that serves all programs.

        BenchUsageError where a word names no program, or a path is no file.
        """
        by_name = {"": sys.executable}
        for word in words:
            name, _, path = word.rpartition("=")
            if name not in ("", *PEERS):
                raise BenchUsageError(f'unknown program "{name}"; known are {", ".join(PEERS)}')
            if not Path(path).is_file():
                raise BenchUsageError(f"there is no Python interpreter at {path}")
            by_name[name] = path
        return cls(by_name, by_name[""])

    def of_program(self, name: str) -> str:
        return self.by_name.get(name, self.default)


def named(text: str | None, known: tuple[str, ...] = PEERS) -> tuple[str, ...]:
    """Peers from a list with commas; ``all`` is every one of ``known``. BenchUsageError."""
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
    """Has ``interpreter`` measure the program ``name`` with ``work``."""
    (answer,) = _answers(name, [work], interpreter)
    return answer


def run_itself(*works: Work) -> list[Answer]:
    """netdesc's own measurements, in one process. BenchError where one fails."""
    answers = _answers(ITSELF, works, sys.executable)
    for answer in answers:
        if answer.status != "done":
            raise BenchError(f"measuring netdesc failed: {answer.reason}")
    return answers


def _answers(name: str, works: Sequence[Work], interpreter: str) -> list[Answer]:
    """An answer for each of ``works``, or a single one that says why there are none."""
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
    except (ValueError, KeyError, AttributeError, TypeError):  # it says something else
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
        return "the system ended it, as it does where memory runs out"
    return f"it ended with exit code {process.returncode} without a word"
