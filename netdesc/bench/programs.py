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
from netdesc.bench.peers.work import Work, checksum

_RUNNER = Path(__file__).parent / "peers" / "runner.py"

_LONGEST_S = 900.0
"""A program that takes longer for a piece of work has failed."""

_FORKS = sys.platform == "linux"
"""Whether a process may fork once torch is loaded; loading takes longer than most measurements."""


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

    @property
    def versions(self) -> dict[str, str]:
        return self.result.get("versions", {})


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
        by_name: dict[str, str] = {}
        default = sys.executable
        for word in words:
            name, equals, path = word.partition("=")
            if not equals:
                default = path = word
            elif name in PEERS:
                by_name[name] = path
            else:
                raise BenchUsageError(f'unknown program "{name}"; known are {", ".join(PEERS)}')
            if not Path(path).is_file():
                raise BenchUsageError(f"there is no Python interpreter at {path}")
        return cls(by_name, default)

    def of_program(self, name: str) -> str:
        return sys.executable if name == ITSELF else self.by_name.get(name, self.default)


def named(text: str | None, known: tuple[str, ...] = PEERS) -> tuple[str, ...]:
    """Peers from a list with commas; ``all`` is every one of ``known``. BenchUsageError."""
    if text is None:
        return ()
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
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
    """netdesc's own measurements, each in a process of its own. BenchError where one fails."""
    if _FORKS:
        answers = _answers(ITSELF, works, sys.executable)
    else:
        answers = [run(ITSELF, work, sys.executable) for work in works]
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
        longest_s = _LONGEST_S * len(works)
        try:
            process = subprocess.run(
                [interpreter, str(_RUNNER), name, *paths],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=longest_s,
            )
        except subprocess.TimeoutExpired:
            return [Answer(name, "failed", f"it took more than {longest_s:g} seconds", {})]
        except OSError as error:
            return [Answer(name, "failed", f"{interpreter}: {error.strerror or error}", {})]
    lines = process.stdout.splitlines()
    if len(lines) != len(works):
        return [Answer(name, "failed", _last_line(process), {})]
    return [_understood(name, work, line, process) for work, line in zip(works, lines, strict=True)]


def _understood(
    name: str, work: Work, line: str, process: subprocess.CompletedProcess[str]
) -> Answer:
    try:
        result = json.loads(line)
    except ValueError:
        result = None
    if not isinstance(result, dict) or "status" not in result:
        return Answer(name, "failed", _last_line(process), {})
    status = result.pop("status")
    if status == "missing":
        other = f"--peer-python {name}=PYTHON names an interpreter that has it"
        return Answer(name, status, f"not installed for {process.args[0]}; {other}", {})
    if result["input_sha256"] != checksum({**work.spikes, **work.numbers}):
        return Answer(name, "failed", "it was not given the same input", {})
    return Answer(name, status, "", result)


def _last_line(process: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
    if lines:
        return lines[-1]
    if process.returncode == -9:
        return "the system ended it, as it does where memory runs out"
    return f"it ended with exit code {process.returncode} without a word"
