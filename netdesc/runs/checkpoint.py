"""Writes and reads checkpoints: files of weights, and ``last.state`` with its checksum.

``last.state`` holds everything that is needed to resume a run, except its metrics: tensors, and
notes as JSON. It is replaced atomically, after the metrics of its epochs are on the disk. So a run
that is killed at any time can be resumed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from netdesc.runs.errors import RunError
from netdesc.runs.folder import refuse_link, restart_hint, write_file

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Tensors = Mapping[str, torch.Tensor]
Notes = TypeVar("Notes", bound="DataclassInstance")


def write_weights(path: Path, tensors: Tensors) -> None:
    """Writes a file of weights. StorageError if that fails; the file then keeps its content."""
    write_file(path, save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def write_state(path: Path, notes: "DataclassInstance", tensors: Tensors) -> None:
    """Writes ``last.state``. StorageError if that fails; the file then keeps its content."""
    text = json.dumps(asdict(notes))
    metadata = {"netdesc": text, "sha256": _checksum(text, tensors)}
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)
    write_file(path, content)


def read_state_file(path: Path, notes_type: type[Notes]) -> tuple[Notes, dict[str, torch.Tensor]]:
    """Reads ``last.state`` and checks its checksum. RunError if the file is damaged."""
    refuse_link(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata, names = file.metadata() or {}, file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
        text = metadata["netdesc"]
        if metadata.get("sha256") != _checksum(text, tensors):
            raise ValueError("its checksum does not match")
        return TypeAdapter(notes_type).validate_python(json.loads(text)), tensors
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        damage = f"this checkpoint is damaged, or of another version of netdesc: {reason}"
        raise RunError(f"{path}: {damage}; {restart_hint(path.parent.parent)}") from error


def _checksum(notes: str, tensors: Tensors) -> str:
    """Returns the SHA-256 of ``notes`` (JSON text), and of names, types, shapes and tensors."""
    digest = hashlib.sha256(notes.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
