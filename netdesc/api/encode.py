"""Encodes one array as the samples are encoded that a network learns from."""

import math
from typing import TYPE_CHECKING

import numpy as np

from netdesc.api.recording import Recording
from netdesc.description.models.arrays import DataSection
from netdesc.events import Event, EventFileError
from netdesc.runs.errors import RunError
from netdesc.runs.run_record import read_record

if TYPE_CHECKING:
    from netdesc.api.compile import OpenedNetwork


def encode(opened: "OpenedNetwork", recording: Recording) -> tuple[Recording, list[str]]:
    """Returns a recording whose array is the network's input, and warnings about its values.

    An array of the size of a sample is encoded as the samples of the document's data, or of the
    run's arrays in memory, are; a random code draws with seed 0. Other recordings are inputs
    already. EventFileError if the encoding does not take a value.
    """
    from netdesc.data.data_errors import DataError
    from netdesc.data.encoding import build_code  # loads torch

    if isinstance(recording.data, Event):
        return recording, []
    values, graph = np.asarray(recording.data), opened.compiled.graph
    shape, cells, name = graph.input_shape, math.prod(graph.input_shape), recording.name
    try:
        data = sample_settings(opened)
    except (RunError, DataError) as error:
        return recording, [f"{name} is not encoded as the samples of the run: {error}"]
    section = None if data is None else data.train_arrays
    if opened.description is None and not opened.is_imported and values.shape == shape:
        way = "to encode it as a sample, pass the run or the document, not the result of compile()"
        return recording, [f"{name} is held for all steps; {way}"]
    if section is None or values.dtype.kind not in "biuf" or not values.size:
        return recording, []
    kind, takes_steps = section.encoding.type, "steps" in section.encoding.file_axes
    has_steps = values.shape[1:] in (shape, (cells,))
    are_spikes = bool(((values == 0) | (values == 1)).all())
    if kind == "spikes":
        problem = f"{name} has other values than 0 and 1, which the network's samples have"
        if not (has_steps and are_spikes):
            return recording, [] if are_spikes else [problem]
    elif takes_steps and not has_steps:
        problem = f'{name} is held for all steps; the encoding "{kind}" of data is not applied'
        return recording, [problem] if values.size == cells else []
    elif not takes_steps and values.size != cells:
        is_input = are_spikes or (section.encoding.is_real and len(values) == graph.steps)
        problem = f"{name} is read as {len(values)} steps of input, not as samples: run each alone"
        return recording, [problem] if has_steps and not is_input else []
    file_steps = len(values) if takes_steps else 0
    code = build_code(section, max(file_steps, graph.steps), file_steps, cells)
    accepted = code.accepts(values)
    if not accepted.all():
        wrong = values.flat[int(accepted.argmin())]
        problem = f'holds {wrong:g}, not {code.values}, which the encoding "{kind}" takes'
        raise EventFileError(name, problem)
    warning = code.warning(float(values.min()), float(values.max()))
    inputs_TN = code.inputs(code.compress(values[None]), [np.random.default_rng(0)])[:, 0]
    encoded = recording._replace(data=inputs_TN.reshape(-1, *shape))
    return encoded, [f"{name}: {warning}"] if warning else []


def sample_settings(opened: "OpenedNetwork") -> DataSection | None:
    """Returns the document's data, or how the arrays in memory were encoded that trained a run.

    None without either. RunError if the run's record cannot be read.
    """
    from netdesc.data.memory_data import recorded_settings

    description, folder = opened.description, opened.folder
    if folder is None or (description is not None and description.document.data is not None):
        return None if description is None else description.document.data
    recorded = read_record(folder).memory_data
    return None if recorded is None else recorded_settings(recorded)
