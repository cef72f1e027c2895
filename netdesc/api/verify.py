"""Verifies that a network gives the same spikes in training, on the device and after an export."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.api.compile import OpenedNetwork, Source
from netdesc.api.encode import encode
from netdesc.api.evaluate import Part, read_parts
from netdesc.api.recording import Input, find_pair, input_array, read_recording
from netdesc.api.run import open_for
from netdesc.data.batches import Batches
from netdesc.data.data_errors import DataError
from netdesc.data.samples import SampleSpec
from netdesc.description import DescriptionError
from netdesc.exchange import NetFileError, export_net
from netdesc.exchange.verification import Verification, compare_runs, limit_steps
from netdesc.runs.folder import NETWORK

RANDOM_RATE, RANDOM_SEED = 0.2, 0
"""Random input spikes: spikes a neuron and step, and the seed."""

SAMPLED_PARTS: tuple[Part, ...] = ("validation", "test", "train")
"""The input is the first sample of the first of these parts that has any."""

RANDOM_LIMITS = (300, 1_000_000_000)
"""The most steps of random spikes, and the most operations, if they leave steps enough."""


def verify(network: Source, input: Input | None = None) -> Verification:
    """Runs a network in floats, in the device's integers, and as its ``.net`` file holds it.

    ``network`` is anything that ``compile`` takes; a run has its best weights. The third run is an
    integer run of what ``import_net`` reads: from the ``network.net`` of a run or, without one,
    from what ``export_net`` writes. ``input`` is what ``run`` takes. Without it, the input is the
    first sample of the validation, test or training data, or random spikes if there are no data. A
    network that no ``.net`` file can hold has two runs. HardwareError if it has no integers, and
    the errors of ``compile``, of ``import_net`` and of ``run``.

    >>> netdesc.verify("examples/oxford.json").is_identical
    True
    """
    recording = None if input is None else read_recording(input)
    opened = open_for(network, recording)
    compiled, warnings = opened.compiled, opened.warnings
    if recording is None:
        name, input_TN, more = _own_input(opened)
    else:
        pair = find_pair(opened.description, recording.path)
        name = recording.name
        recording, problems = encode(opened, recording)
        input_TN, more = input_array(recording, compiled.graph, pair and pair.input)
        more += problems
    with tempfile.TemporaryDirectory(prefix="netdesc-") as folder:
        path, problem = Path(folder, "network.net"), ""
        try:
            texts = export_net(compiled.model, path)
            more += [each.removeprefix(f"{path}: ") for each in texts]
        except NetFileError as error:
            path, problem = None, error.problem
        own = None if opened.folder is None else opened.folder / NETWORK
        if path is not None and own is not None and own.exists():
            path = own
        found = compare_runs(compiled.model, path, input_TN)
    return replace(found, input=name, export_problem=problem, warnings=warnings + more)


def _own_input(opened: OpenedNetwork) -> tuple[str, NDArray[np.float32], list[str]]:
    """Returns the name of the input, its values [steps, *input shape], and warnings."""
    graph, description = opened.compiled.graph, opened.description
    warnings: list[str] = []
    if description is not None and description.document.data is not None:
        try:
            parts = read_parts(description, SampleSpec.of(graph), warnings)
        except (DataError, DescriptionError) as error:
            first = getattr(error, "diagnostics", [error])[0]
            reason = getattr(first, "message", error)
            warnings.append(f"random spikes take the place of the data: {reason}")
        else:
            part: Part = next(name for name in SAMPLED_PARTS if name in parts)
            seed, cpu = description.document.training.seed, torch.device("cpu")
            batch = next(Batches(parts[part][:1], 1, cpu, seed).in_order())
            return f"{part} sample 0", batch.input_TBN[:, 0].numpy(), warnings
    steps = min(graph.steps, limit_steps(graph, *RANDOM_LIMITS))
    random_TN = np.random.default_rng(RANDOM_SEED).random((steps, *graph.input_shape))
    name = f"random spikes of seed {RANDOM_SEED}"
    return name, (random_TN < RANDOM_RATE).astype(np.float32), warnings
