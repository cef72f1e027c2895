"""Guesses which array of an .npz file a document means if the named one does not exist."""

from __future__ import annotations

from collections.abc import Sequence

from netdesc.description.files.npy import Header
from netdesc.description.files.npz import Npz, NpzError
from netdesc.description.shapes import Shape

USUAL_NAMES = {
    "inputs": ("inputs", "input", "x", "x_train", "data", "images", "spikes", "features"),
    "labels": ("labels", "label", "y", "y_train", "target", "targets", "classes"),
    "targets": ("targets", "target", "outputs", "output", "y", "y_train", "values"),
    "split": ("split", "splits", "part", "fold"),
}
"""Maps a field of ``data`` to common names of its array, in lower case."""
MAX_HEADERS = 100
"""At most this many arrays of a file are candidates."""


def guess_array(npz: Npz, field: str, taken: Sequence[str], shape: Shape) -> str | None:
    """Returns the name of the array that ``field`` of ``data`` probably means, or ``None``.

    Candidates have a suitable type and shape, and no other field names them (``taken``). ``shape``
    is the shape of the network's input.
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
    # An uncommon name is a good guess only if there is no other candidate.
    return next(iter(fitting)) if len(fitting) == 1 and field != "split" else None


def _headers(npz: Npz) -> dict[str, Header]:
    headers: dict[str, Header] = {}
    for name in npz.names[:MAX_HEADERS]:
        try:
            headers[name] = npz.header(name)
        except NpzError:
            continue  # a damaged array is no candidate
    return headers


def _fits(field: str, header: Header, shape: Shape) -> bool:
    if header.code is None:
        return False
    if field == "inputs":
        return header.kind in "biuf" and shape in (header.shape[1:], header.shape[2:])
    if field == "targets":
        return header.kind in "biuf" and len(header.shape) > 1
    return header.kind in "iu" and len(header.shape) in ((1, 2) if field == "labels" else (1,))
