"""Which array of an .npz file a document probably means, where it names none that there is."""

from __future__ import annotations

from collections.abc import Sequence

from netdesc.description.files.npy import Header
from netdesc.description.files.npz import Npz, NpzError
from netdesc.description.shapes import Shape

USUAL_NAMES = {
    "inputs": ("inputs", "input", "x", "x_train", "data", "images", "spikes", "features"),
    "labels": ("labels", "label", "y", "y_train", "target", "targets", "classes"),
    "split": ("split", "splits", "part", "fold"),
}
"""What people call such arrays, in lower case."""
MOST_ARRAYS = 100
"""So many headers are looked at."""


def likeliest(npz: Npz, field: str, taken: Sequence[str], shape: Shape) -> str | None:
    """The array that ``field`` of ``data`` should name, by its name, type and shape.

    ``taken`` are the names in the other fields, and ``shape`` is that of the network's input.
    """
    fitting = {
        name: header
        for name, header in _headers(npz).items()
        if name not in taken and _fits(field, header, shape)
    }
    usual = USUAL_NAMES[field]
    known = [name for name in fitting if name.casefold() in usual]
    if known:
        return min(known, key=lambda name: usual.index(name.casefold()))
    # A name that says nothing is taken only where there is no other.
    return next(iter(fitting)) if len(fitting) == 1 and field != "split" else None


def _headers(npz: Npz) -> dict[str, Header]:
    found: dict[str, Header] = {}
    for name in npz.names[:MOST_ARRAYS]:
        try:
            found[name] = npz.header(name)
        except NpzError:
            continue  # a damaged array is none to propose
    return found


def _fits(field: str, header: Header, shape: Shape) -> bool:
    if header.code is None:
        return False
    if field == "inputs":
        return header.kind in "biuf" and shape in (header.shape[1:], header.shape[2:])
    return header.kind in "iu" and len(header.shape) in ((1, 2) if field == "labels" else (1,))
