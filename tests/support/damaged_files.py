"""Every kind of file that netdesc reads: its mutations, and how commands that read it may end."""

import io
import json
import os
import random
import re
import shutil
import signal
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
from support.classify_task import write_classify_task
from support.cli_process import Netdesc, Outcome
from support.mutations import TEXT, Mutation, damage_bytes, damage_json, damage_value, replace_all
from support.training_task import INPUTS, STEPS, at_epoch, write_task

from netdesc.events import Event, write_events

DTYPES = ["|O", "<f2", ">i2", "|b1", "<u8", "<c16", "|S3", "<U1000000", "<M8[s]", "nonsense", 7]
SHAPES = [(), (0, 3), (1 << 40,), (1 << 62, 4), (-1, 4), (1,) * 33, (2.5,), 3, None]


def damage_npy(chance: random.Random, content: bytes) -> bytes:
    """Changes the header of an array, or its numbers."""
    array = np.load(io.BytesIO(content))
    if chance.random() < 0.6:
        header = {
            "descr": np.lib.format.dtype_to_descr(array.dtype),
            "fortran_order": False,
            "shape": array.shape,
        }
        key, values = chance.choice(
            [("descr", DTYPES), ("shape", SHAPES), ("fortran_order", [True, "x"]), ("more", [1])]
        )
        text = repr(header | {key: chance.choice(values)}).encode() + b"\n"
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array.tobytes()
    return _npy(_other_array(chance, array))


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _other_array(chance: random.Random, array: np.ndarray) -> np.ndarray:
    """Returns an array of another type, shape or size, or one with odd numbers in it."""
    how = chance.randrange(4)
    with np.errstate(all="ignore"):
        if how == 0:
            return array.astype(chance.choice(("f2", "f8", "i1", "i8", "u8", "?", "c8", "U4", "O")))
        if how == 1:
            return array.reshape(chance.choice(((-1,), (1, *array.shape), (*array.shape, 1))))
        if how == 2:
            return np.atleast_1d(array)[..., : chance.randrange(3)]
        changed = array.astype(np.float64)
        if changed.size:
            odd = (np.nan, np.inf, -1, 2**31, 2**63, 1e300, 0.5)
            changed.flat[chance.randrange(changed.size)] = chance.choice(odd)
        return changed if chance.random() < 0.5 else changed.astype(array.dtype)


def damage_npz(chance: random.Random, content: bytes) -> bytes:
    """Changes, removes or renames a member of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name, how = chance.choice(list(members)), chance.randrange(6)
    data = members.pop(name)
    if how <= 2:
        members[name] = damage_npy(chance, data)
    elif how == 3:
        members[name] = damage_bytes(chance, data)
    elif how == 4:
        members[chance.choice(("../up.npy", "\x1b[31m.npy", "x" * 60_000, "inputs"))] = data
    file = io.BytesIO()
    method = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def damage_safetensors(chance: random.Random, content: bytes) -> bytes:
    """Changes the JSON of the header, or its length."""
    size = int.from_bytes(content[:8], "little")
    if chance.random() < 0.3:
        lengths = (0, 1, size - 1, size + 1, len(content), 1 << 32, (1 << 64) - 1)
        return chance.choice(lengths).to_bytes(8, "little") + content[8:]
    header = json.loads(content[8 : 8 + size])
    damage_value(chance, header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


NET_VALUES: list[Any] = [
    *(0, -1, 1, 2.5, 1 << 18, (1 << 63) - 1, float("nan"), float("inf"), True, "CUBA", ""),
    *("x\x1b[31m", "é" * 300, b"\xff\xfe", np.array([b"input"]), np.zeros(0), np.zeros((2, 3))),
    *(np.full(6, 1e300), np.arange(12, dtype="u1"), np.array(["a"], h5py.string_dtype())),
]


def damage_net(chance: random.Random, content: bytes) -> bytes:
    """Replaces, removes, links or renames something in an hdf5 file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.net"
        path.write_bytes(content)
        with h5py.File(path, "r+") as root:
            names: list[str] = []
            root.visit(names.append)
            name, how = chance.choice(names), chance.randrange(6)
            if how == 0:
                root.move(name, name + chance.choice(("x", "0", "9" * 30)))
            else:
                root.pop(name)
            if how == 1:
                root.create_group(name)
            elif how == 2:
                root[name] = h5py.ExternalLink("other.net", "/layer")
            elif how > 3:
                root[name] = chance.choice(NET_VALUES)
        return path.read_bytes()


TASK, CLASSES = "task/tiny.json", "classes/classes.json"
PLANE, SEEDED = "plane/plane.json", "task/seeded.json"
"""Documents: of spikes, of arrays, of spikes with x and y, and one that names its weights."""
DONE, PART, CLASSIFIER = "runs/done", "runs/part", "runs/classifier"
"""Runs: one that is done, one that was interrupted, and one with labels that is done."""


MAX_CPU_S = 20


class Kind(NamedTuple):
    """A kind of file: one of the samples, its mutations, and the commands that read it."""

    file: str
    mutations: tuple[Mutation, ...]
    commands: str
    """With semicolons between them."""


_TRAIN = "-q --set training.epochs=1 --run-dir new"
_RESUME = f"train --resume {PART} -q"
_WEIGHTS = f"{DONE}/checkpoints/best.safetensors"


def _document(file: str) -> Kind:
    return Kind(
        file, TEXT,
        f"validate {file}; validate --format github {file}; validate --fix {file}; show {file};"
        f"diff {file} {TASK}; compile {file} -q; export {file} -o new.net; evaluate {file};"
        f"run {file} task/input0.bs1; train {file} {_TRAIN}",
    )  # fmt: skip


def _events(file: str, document: str, *mutations: Mutation) -> Kind:
    return Kind(
        file, (damage_bytes, *mutations),
        f"events show {file}; events show {file} -o new.png; events convert {file} new.npy;"
        f"events show task/target0.bs1 --against {file}; events convert {file} new.bs1;"
        f"events animate {file} -o new.gif --frames 3; validate {document}; evaluate {document};"
        f"run {document} {file} -o new.bs1; train {document} {_TRAIN}",
    )  # fmt: skip


KINDS = {
    "document": _document(TASK),
    "document of arrays": _document(CLASSES),
    "bs1": _events("task/input0.bs1", TASK),
    "bs2": _events("plane/input.bs2", PLANE),
    "npy": _events("task/input1.npy", TASK, damage_npy, damage_npy),
    "npz": Kind(
        "classes/data.npz", (damage_bytes, damage_npz, damage_npz),
        f"validate {CLASSES}; show {CLASSES}; evaluate {CLASSES}; train {CLASSES} {_TRAIN};"
        f"evaluate {CLASSIFIER} --part train",
    ),
    "net": Kind(
        f"{DONE}/network.net", (damage_bytes, damage_net, damage_net),
        f"show {DONE}/network.net; import {DONE}/network.net -o new; validate {SEEDED};"
        f"run {DONE}/network.net task/input0.bs1 -o new.bs1; evaluate {SEEDED};"
        f"run {DONE}/network.net task/input0.bs1 --arithmetic integer;"
        f"export {SEEDED} -o new.net; train {SEEDED} {_TRAIN}",
    ),
    "safetensors": Kind(
        _WEIGHTS, (damage_bytes, damage_safetensors, damage_safetensors),
        f"evaluate {DONE}; run {DONE} task/input0.bs1; export {DONE} -o new.net; report {DONE};"
        f"train {TASK} {_TRAIN} --set weights.path={_WEIGHTS}",
    ),
    "state": Kind(
        f"{PART}/checkpoints/last.state", (damage_bytes, damage_safetensors),
        f"{_RESUME}; show {PART}; report {PART}",
    ),
    "lock": Kind(
        f"{PART}/network.lock.json", (*TEXT, damage_json),
        f"{_RESUME}; show {PART}; report {PART}; evaluate {PART}; diff {PART} {DONE};"
        f"validate {PART}/network.lock.json; train {PART}/network.lock.json {_TRAIN}",
    ),
}  # fmt: skip


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
    Yields a text for each that does not end as it should. ``folder`` is made and removed."""
    kind = KINDS[name]
    commands = [line.strip() for line in kind.commands.split(";")]
    lines = random.Random(seed).sample(commands, min(most, len(commands)))
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
