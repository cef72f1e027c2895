"""Every kind of file that netdesc reads: its mutations, and how commands that read it may end."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from support.classify_task import write_classify_task
from support.cli_process import Netdesc, Outcome
from support.file_mutations import damage_net, damage_npy, damage_npz, damage_safetensors
from support.mutations import TEXT, Mutation, damage_bytes, damage_json, replace_all
from support.training_task import INPUTS, STEPS, at_epoch, write_task

from netdesc.events import Event, write_events

TASK, CLASSES, PLANE, SEEDED = (
    "task/tiny.json",
    "classes/classes.json",
    "plane/plane.json",
    "task/seeded.json",
)
"""Documents: of spikes, of arrays, of spikes with x and y, and one that names its weights."""
DONE, PART, CLASSIFIER = "runs/done", "runs/part", "runs/classifier"
"""Runs: one that is done, one that was interrupted, and one with labels that is done."""


MAX_CPU_S = 20


class Kind(NamedTuple):
    """A kind of file: one of the samples, its mutations, and the commands that read it."""

    file: str
    mutations: tuple[Mutation, ...]
    commands: tuple[str, ...]


def _train(document: str) -> str:
    return f"train {document} -q --set training.epochs=1 --run-dir new"


def _document_commands(file: str, source: str) -> tuple[str, ...]:
    return (
        f"validate {file}",
        f"validate --format github {file}",
        f"validate --fix {file}",
        f"show {file}",
        f"diff {file} {TASK}",
        f"compile {file} -q",
        f"export {file} -o new.net",
        f"evaluate {file}",
        f"run {file} {source}",
        _train(file),
    )


def _event_commands(file: str, document: str) -> tuple[str, ...]:
    return (
        f"events show {file}",
        f"events show {file} -o new.png",
        f"events show task/target0.bs1 --against {file}",
        f"events convert {file} new.npy",
        f"events convert {file} new.bs1",
        f"events animate {file} -o new.gif --frames 3",
        f"validate {document}",
        f"run {document} {file} -o new.bs1",
        f"evaluate {document}",
        _train(document),
    )


_RESUME = f"train --resume {PART} -q"
_WEIGHTS = f"{DONE}/checkpoints/best.safetensors"
_STATE = f"{PART}/checkpoints/last.state"

KINDS = {
    "document": Kind(TASK, TEXT, _document_commands(TASK, "task/input0.bs1")),
    "document of arrays": Kind(CLASSES, TEXT, _document_commands(CLASSES, "task/input0.bs1")),
    "bs1": Kind("task/input0.bs1", (damage_bytes,), _event_commands("task/input0.bs1", TASK)),
    "bs2": Kind("plane/input.bs2", (damage_bytes,), _event_commands("plane/input.bs2", PLANE)),
    "npy": Kind(
        "task/input1.npy",
        (damage_bytes, damage_npy, damage_npy),
        _event_commands("task/input1.npy", TASK),
    ),
    "npz": Kind(
        "classes/data.npz",
        (damage_bytes, damage_npz, damage_npz),
        (
            f"validate {CLASSES}",
            f"show {CLASSES}",
            f"evaluate {CLASSES}",
            f"evaluate {CLASSIFIER} --part train",
            _train(CLASSES),
        ),
    ),
    "net": Kind(
        f"{DONE}/network.net",
        (damage_bytes, damage_net, damage_net),
        (
            f"show {DONE}/network.net",
            f"import {DONE}/network.net -o new",
            f"run {DONE}/network.net task/input0.bs1 -o new.bs1",
            f"run {DONE}/network.net task/input0.bs1 --arithmetic integer",
            f"validate {SEEDED}",
            f"evaluate {SEEDED}",
            f"export {SEEDED} -o new.net",
            _train(SEEDED),
        ),
    ),
    "safetensors": Kind(
        _WEIGHTS,
        (damage_bytes, damage_safetensors, damage_safetensors),
        (
            f"evaluate {DONE}",
            f"run {DONE} task/input0.bs1",
            f"export {DONE} -o new.net",
            f"report {DONE}",
            f"{_train(TASK)} --set weights.path={_WEIGHTS}",
        ),
    ),
    "state": Kind(
        _STATE, (damage_bytes, damage_safetensors), (_RESUME, f"show {PART}", f"report {PART}")
    ),
    "lock": Kind(
        f"{PART}/network.lock.json",
        (*TEXT, damage_json),
        (
            _RESUME,
            f"show {PART}",
            f"report {PART}",
            f"evaluate {PART}",
            f"diff {PART} {DONE}",
            f"validate {PART}/network.lock.json",
            _train(f"{PART}/network.lock.json"),
        ),
    ),
}


def write_samples(folder: Path, netdesc: Netdesc) -> None:
    """Writes the documents, data and runs of ``KINDS`` into ``folder``."""
    _write_documents(folder)
    os.chdir(folder)
    for document, run in ((TASK, DONE), (CLASSES, CLASSIFIER)):
        assert netdesc("train", document, "-q", "--run-dir", run).code == 0
    with pytest.MonkeyPatch.context() as patch:
        at_epoch(patch, 3, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert netdesc("train", TASK, "-q", "--run-dir", PART).code == 130
    document = json.loads((folder / TASK).read_text())
    document["weights"] = {"path": f"../{DONE}/network.net"}
    (folder / SEEDED).write_text(json.dumps(document, indent=2))


def _write_documents(folder: Path) -> None:
    path = write_task(folder / "task", pairs=2, epochs=5)
    document = json.loads(path.read_text())
    rng = np.random.default_rng(1)
    x, t = rng.integers(0, INPUTS, 60), np.sort(rng.integers(0, STEPS, 60)).astype(float)
    event = Event(x.astype(np.int32), None, np.zeros(60, np.int32), t)
    write_events(path.with_name("input1.npy"), event)
    document["data"]["train"][1]["input"]["path"] = "input1.npy"
    path.write_text(json.dumps(document, indent=2))
    (folder / "plane").mkdir()
    shutil.copy(path.with_name("target0.bs1"), folder / "plane/target.bs1")
    x, y, p = (rng.integers(0, n, 60).astype(np.int32) for n in (3, 2, 2))
    write_events(folder / "plane/input.bs2", Event(x, y, p, t))
    pair = {"input": {"path": "input.bs2"}, "target": {"path": "target.bs1"}}
    document["data"]["train"], document["input"] = [pair], {"shape": [2, 2, 3]}
    document["layers"].insert(0, {"name": "flat", "type": "flatten"})
    (folder / PLANE).write_text(json.dumps(document, indent=2))
    write_classify_task(folder / "classes", training={"epochs": 2})


def mutate(kind: Kind, seed: int, folder: Path) -> None:
    """Mutates the kind's file in a copy of the samples; every seed gives another mutation."""
    chance, path = random.Random(seed), folder / kind.file
    content = path.read_bytes()
    path.unlink()
    if chance.random() < 0.05:
        return  # there is no file
    mutation = replace_all if chance.random() < 0.1 else chance.choice(kind.mutations)
    path.write_bytes(mutation(chance, content))


def failures(
    netdesc: Netdesc, samples: Path, folder: Path, name: str, seed: int, most: int = 99
) -> Iterator[str]:
    """Mutates a file and runs at most so many of the commands that read it, in a random order.

    Yields a text for each that does not end as it should. ``folder`` is made and removed.
    """
    kind = KINDS[name]
    lines = random.Random(seed).sample(kind.commands, min(most, len(kind.commands)))
    for line in lines:
        shutil.copytree(samples, folder)
        mutate(kind, seed, folder)
        os.chdir(folder)
        begin = time.process_time()
        with warnings.catch_warnings(record=True) as said:
            ended = netdesc(*line.split())
        problem = find_problem(line, ended, time.process_time() - begin)
        problem = problem or " ".join(str(each.message) for each in said)
        if problem:
            yield f"{name}, seed {seed}: netdesc {line}: {problem}\n{ended}"
        shutil.rmtree(folder)


_ANSWERS_BY_CODE = {"diff"}
"""Commands whose exit code 1 is an answer."""

_DIAGNOSTICS = re.compile(r"\berror\[ND\d+\]|^::error ", re.M)


def find_problem(line: str, ended: Outcome, cpu_s: float) -> str:
    """Returns what is wrong with how a command ended; nothing if it is as it should be.

    It ends with an exit code that is documented, and if that is not 0 with one message. It prints
    no traceback, no warning of Python, and no control character. It takes limited time.
    """
    text = ended.out + ended.err
    lines = text.splitlines()
    errors = [each for each in lines if each.startswith("error:")]
    behind = lines[lines.index(errors[0]) + 1 :] if errors else []
    says_why = errors or _DIAGNOSTICS.search(text) or line.split()[0] in _ANSWERS_BY_CODE
    problems = {
        f"exit code {ended.code}": ended.code not in range(5),
        "a traceback": "Traceback" in text or "has a bug" in text,
        "a control character": not text.replace("\n", "").isprintable(),
        "several messages": len(errors) > 1,
        "a message of several lines": any(each[:2] != "  " for each in behind),
        "no message": ended.code in (1, 2, 3) and not says_why,
        "no output": ended.code != 0 and not text,
        f"{cpu_s:.1f} seconds": cpu_s > MAX_CPU_S,
    }
    return ", ".join(problem for problem, is_there in problems.items() if is_there)
