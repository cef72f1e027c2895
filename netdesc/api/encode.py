"""Encodes one array as the samples are encoded that a network learns from."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import numpy as np

from netdesc.api.recording import Recording
from netdesc.description.models import Arrays, Idx
from netdesc.events import Event, EventFileError
from netdesc.runs.files import RECORD

if TYPE_CHECKING:
    from netdesc.api.compile import OpenedNetwork


def encode(opened: OpenedNetwork, recording: Recording) -> tuple[Recording, list[str]]:
    """Returns a recording whose array is the network's input, and warnings about its values.

    An array of the size of a sample is encoded as the samples of the document's data, or of the
    run's arrays in memory, are; a random code draws with seed 0. Other recordings are inputs
    already. EventFileError if the encoding does not take a value.
    """
    section, shape = _samples_of(opened), opened.compiled.graph.input_shape
    if section is None or isinstance(recording.data, Event):
        return recording, []
    from netdesc.training.encoding import build_code  # loads torch

    values, cells = np.asarray(recording.data), math.prod(shape)
    if values.dtype.kind not in "biuf":
        return recording, []
    takes_steps = "steps" in section.encoding.file_axes
    has_steps = values.shape[1:] in (shape, (cells,)) and values.size > 0
    if has_steps and not takes_steps:
        if len(values) == opened.compiled.graph.steps or ((values == 0) | (values == 1)).all():
            return recording, []
        problem = f"is read as {len(values)} steps of input, not as samples: run them one by one"
        return recording, [f"{recording.name} {problem}"]
    if has_steps != takes_steps or (not takes_steps and values.size != cells):
        return recording, []
    steps = len(values) if takes_steps else opened.compiled.graph.steps
    code = build_code(section, steps, len(values) if takes_steps else 0, cells)
    accepted = code.accepts(values)
    if not accepted.all():
        wrong = values.flat[int(accepted.argmin())]
        problem = (
            f'holds {wrong:g}, not {code.values}, which the encoding "{section.encoding.type}"'
        )
        raise EventFileError(recording.name, f"{problem} of the data takes")
    warning = code.warning(float(values.min()), float(values.max()))
    inputs_TN = code.inputs(code.compress(values[None]), np.random.default_rng(0))[:, 0]
    encoded = recording._replace(data=inputs_TN.reshape(steps, *shape))
    return encoded, [f"{recording.name}: {warning}"] if warning else []


def _samples_of(opened: OpenedNetwork) -> Arrays | None:
    """Returns the section that says how samples are encoded; None if they are events."""
    from netdesc.training.errors import ResumeError
    from netdesc.training.memory_data import recorded_settings
    from netdesc.training.record import RunRecord

    data = None if opened.description is None else opened.description.document.data
    if data is None and opened.folder is not None:
        with contextlib.suppress(ResumeError):  # a run needs no record to be run
            recorded = RunRecord.read(opened.folder / RECORD).fields.get("memory_data")
            return None if recorded is None else recorded_settings(recorded)
    if isinstance(data, Idx):
        return data.arrays(data.parts["train"])
    return data if isinstance(data, Arrays) else None
