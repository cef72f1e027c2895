"""Tensors as a safetensors file, written from the memory that they are in.

The library's writer either makes the file's contents as bytes, three times over on the way, or puts
a file of its own, with its own permissions, in the place of ours. A run is to take as little memory
beside its tensors as it can, so the few lines that the format needs are here. They write the same
bytes. The format: https://huggingface.co/docs/safetensors (a header's length, the header as JSON,
padded with spaces, then all tensors, little-endian, without gaps).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KINDS = {"int64": "I64", "float64": "F64", "float32": "F32", "int32": "I32", "uint8": "U8"}
"""Of what training keeps, in the order of the file: larger numbers first, so that all are aligned.
"""

_ALIGNMENT = 8
"""Of the first tensor."""


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes the file anew. OSError where that fails."""
    order = list(_KINDS)
    ordered = sorted(tensors.items(), key=lambda each: (order.index(each[1].dtype.name), each[0]))
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": _KINDS[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for _, tensor in ordered:
            file.write(np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).data)
