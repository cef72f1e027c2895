"""Reads what a network runs on: a file of events or of an array, an ``Event``, or an array."""

import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netdesc.caller import warn
from netdesc.data.array_files import array_errors, open_arrays
from netdesc.description import Description
from netdesc.description.models.arrays import MAX_REAL_INPUT
from netdesc.description.models.data import EventFile, Pair
from netdesc.events import DroppedEvents, Event, EventFileError, read_events
from netdesc.events.binning import real_inputs
from netdesc.events.files import EventFileAccessError
from netdesc.graph import Graph
from netdesc.kernels.fixed_point import STATE_UNIT

EVENT_COLUMNS = (3, 4, 5)
"""An .npy file of rows with so many numbers holds events."""

if TYPE_CHECKING:
    import torch

Input: TypeAlias = "str | Path | Event | NDArray[Any] | torch.Tensor"
"""A file of events or of an array, events, or an array."""


class Recording(NamedTuple):
    """Events, or the values of an array, and the file that they are from."""

    data: Event | NDArray[Any]
    name: str
    path: Path | None = None


def read_recording(source: Input) -> Recording:
    """Reads a file, or takes events or an array. TypeError for other types.

    An ``.npz`` file holds one array, or one of the name ``input``. An ``.npy`` file holds events
    if its rows have the length of events, and else an array. EventFileError or DataError if a file
    cannot be read.
    """
    if isinstance(source, Event):
        return Recording(source, "the events")
    if hasattr(source, "__array__"):
        return Recording(np.asarray(source), "the array")
    if not isinstance(source, str | Path):
        raise TypeError(f"a file, an Event or an array is needed, not {type(source).__name__}")
    path = Path(source)
    suffix = path.suffix.lower()
    if not os.path.exists(path):
        raise EventFileAccessError(path, "there is no such file")
    if path.is_dir():
        raise EventFileError(path, "is a folder, and not a file of events or of an array")
    is_array = suffix in (".npz", ".npy") and path.is_file()
    array = _read_array(path) if is_array or suffix == ".npz" else None
    return Recording(read_events(path) if array is None else array, str(path), path)


def _read_array(path: Path) -> NDArray[Any] | None:
    """Returns the array of a file; None for an .npy file of events."""
    with array_errors(path), open_arrays(path) as file:
        shape = file.header(file.names[0]).shape if path.suffix.lower() == ".npy" else ()
        if len(shape) == 2 and shape[1] in EVENT_COLUMNS:
            return None
        if len(file.names) == 1 or "input" in file.names:
            name = file.names[0] if len(file.names) == 1 else "input"
            return np.array(file.read(name))
        problem = (
            f"holds the arrays {', '.join(file.names)}; a run takes one recording, which is "
            'named "input"; netdesc evaluate measures samples'
        )
        raise EventFileError(path, problem)


def find_pair(description: Description | None, file: Path | None) -> Pair | None:
    """Returns the pair of the document's data whose input is this file; None if there is none."""
    if description is None or file is None or description.document.data is None:
        return None
    for pair in itertools.chain.from_iterable(description.document.data.pairs.values()):
        path = description.resolve(pair.input.path)
        if os.path.exists(path) and path.samefile(file):
            return pair
    return None


def input_chunks(
    recording: Recording, graph: Graph, file: EventFile | None, chunk_steps: int
) -> tuple[Iterator[NDArray[np.float32]], list[str]]:
    """Returns the input [steps, *input shape] in chunks, and warnings about what it does not hold.

    Events are binned as ``file``, a section of the document, says. An array [steps, neurons] or
    [steps, *input shape] has its own number of steps; one of the input's shape is held for all
    steps. Values that are no multiples of 1/4096 are rounded to 1/64, as those of data are.
    EventFileError if the recording does not fit.
    """
    event, shape, cells = recording.data, graph.input_shape, math.prod(graph.input_shape)
    if not isinstance(event, Event):
        return _array_chunks(recording, graph, chunk_steps)
    columns, path = 3 if event.y is None else 4 if event.payload is None else 5, recording.path
    if file is None and path and path.suffix.lower() == ".npy" and shape == (columns,):
        problem = (
            f"has rows of {columns} numbers, which may be events or steps of the {columns} inputs: "
            "write events as .bs1, or the array as .npz"
        )
        raise EventFileError(recording.name, problem)
    index, value, dropped = bin_events(recording, (graph.steps, *shape), graph.step_ms, file)

    def chunks() -> Iterator[NDArray[np.float32]]:
        for first in range(0, graph.steps, chunk_steps):
            steps = min(chunk_steps, graph.steps - first)
            low, high = np.searchsorted(index, [first * cells, (first + steps) * cells])
            chunk_TN = np.zeros((steps, *shape), np.float32)
            chunk_TN.reshape(-1)[index[low:high] - first * cells] = value[low:high]
            yield chunk_TN

    if not dropped:
        return chunks(), []
    problem = (
        f"{recording.name}: {dropped} of {len(event)} events lie outside {graph.steps} steps of "
        f"{graph.step_ms:g} ms and shape {list(shape)} and are left out"
    )
    warn(problem, DroppedEvents)
    return chunks(), [problem]


def input_array(
    recording: Recording, graph: Graph, file: EventFile | None = None
) -> tuple[NDArray[np.float32], list[str]]:
    """Returns what ``input_chunks`` does, in one array."""
    chunks, problems = input_chunks(recording, graph, file, graph.steps)
    return np.concatenate(list(chunks)), problems


def _array_chunks(
    recording: Recording, graph: Graph, chunk_steps: int
) -> tuple[Iterator[NDArray[np.float32]], list[str]]:
    """Returns the values of an array in chunks of steps, and warnings; makes no copy of it."""
    data, shape = np.asarray(recording.data), graph.input_shape
    is_held = data.shape == shape
    if is_held:
        data = np.broadcast_to(data, (graph.steps, *shape))
    elif not _fits(data, shape):
        problem = (
            f"has shape {list(data.shape)}; the network takes [steps, "
            f"{', '.join(map(str, shape))}], or {list(shape)} for a value that every step has"
        )
        if data.T.shape == shape or _fits(data.T, shape):
            problem += ": write array.T, which fits; Lava's arrays have the axes in this order"
        elif data.ndim > 1 and len(data) and _fits(data[0], shape):
            problem += "; run samples one by one"
        raise EventFileError(recording.name, problem)
    if data.dtype.kind not in "biuf":
        raise EventFileError(recording.name, f"holds {data.dtype}, not numbers")
    low, high = graph.input_limits or (-MAX_REAL_INPUT, MAX_REAL_INPUT)

    def parts() -> Iterator[NDArray[np.float64]]:
        for first in range(0, len(data), chunk_steps):
            yield data[first : first + chunk_steps].astype(np.float64).reshape(-1, *shape)

    lowest, largest, is_on_grid = 0.0, 0.0, True
    for values in itertools.islice(parts(), 1) if is_held else parts():
        if not np.isfinite(values).all():
            raise EventFileError(recording.name, "does not hold finite numbers")
        lowest, largest = min(lowest, float(values.min())), max(largest, float(values.max()))
        is_on_grid = is_on_grid and not (values * STATE_UNIT % 1).any()
    is_kept = is_on_grid and max(-lowest, largest) <= MAX_REAL_INPUT
    problem = f"{recording.name}: values outside of {low:g} to {high:g} are cut off; scale them"
    chunks = (values.astype(np.float32) if is_kept else real_inputs(values) for values in parts())
    return chunks, [problem] if lowest < low or largest > high else []


def _fits(data: NDArray[Any], shape: tuple[int, ...]) -> bool:
    """Whether an array is [steps, *shape], or [steps, neurons]."""
    return data.ndim > 1 and len(data) > 0 and data.shape[1:] in (shape, (math.prod(shape),))


def bin_events(
    recording: Recording, size: tuple[int, ...], step_ms: float, file: EventFile | None
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Bins events to ``size``, [steps, *shape], as ``Event.binned`` does.

    EventFileError if there are no events, or if they do not fit the shape.
    """
    if not isinstance(recording.data, Event):
        raise EventFileError(recording.name, "holds no events")
    rounding, duplicates = ("nearest", "or") if file is None else (file.rounding, file.duplicates)
    try:
        return recording.data.binned(size[1:], size[0], step_ms, rounding, duplicates)
    except ValueError as error:
        raise EventFileError(recording.name, str(error)) from error
