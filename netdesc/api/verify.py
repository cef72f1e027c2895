"""Verifies that a network gives the same spikes in training, on the device and after an export."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch

from netdesc.api.compile import OpenedNetwork, Source
from netdesc.api.encode import encode
from netdesc.api.evaluate import Part, read_parts
from netdesc.api.recording import Input, find_pair, input_array, read_recording
from netdesc.api.run import open_for
from netdesc.data.batches import Batches
from netdesc.data.data_errors import DataError
from netdesc.data.samples import SampleSpec
from netdesc.description import DescriptionError
from netdesc.exchange import NetFileError, export_net, verification
from netdesc.exchange.verification import NamedInput, Verification
from netdesc.runs.folder import NETWORK

SAMPLED_PARTS: tuple[Part, ...] = ("validation", "test", "train")
"""The input is a sample of the first of these parts that has any."""

RANDOM_LIMITS = (300, 1_000_000_000)
"""The most steps of random spikes, and the most operations, if they leave steps enough."""


def verify(network: Source, input: Input | None = None) -> Verification:
    """Runs a network in floats, in the device's integers, and as its ``.net`` file holds it.

    ``network`` is anything that ``compile`` takes; a run has its best weights. The third run is an
    integer run of what ``import_net`` reads: from the ``network.net`` of a run or, without one,
    from what ``export_net`` writes. ``input`` is what ``run`` takes. Without it, the input is the
    first for which the output is not that for silence: of the first samples of the validation, test
    or training data, and then of random spikes. If there is none, the proof is ``empty``. A network
    that no ``.net`` file can hold has two runs; of one with more than 2^24 parameters, the file is
    compared with what is exported and not run if both are equal. HardwareError if it has no
    integers, and the errors of ``compile``, of ``import_net`` and of ``run``.

    >>> netdesc.verify("examples/oxford.json").is_identical
    True
    """
    recording = None if input is None else read_recording(input)
    opened = open_for(network, recording)
    compiled, warnings = opened.compiled, opened.warnings
    if recording is None:
        inputs, more = own_inputs(opened)
    else:
        pair = find_pair(opened.description, recording.path)
        recording, problems = encode(opened, recording)
        input_TN, more = input_array(recording, compiled.graph, pair and pair.input)
        inputs, more = [(recording.name, input_TN)], more + problems
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
        result = verification.compare_with_effect(compiled.model, path, inputs)
    return replace(result, export_problem=problem, warnings=warnings + more + result.warnings)


def own_inputs(opened: OpenedNetwork) -> tuple[Iterable[NamedInput], list[str]]:
    """Returns inputs to try one after the other, samples of the data before random spikes; and
    warnings.
    """
    graph, description = opened.compiled.graph, opened.description
    warnings: list[str] = []
    if description is not None and description.document.data is not None:
        try:
            parts = read_parts(description, SampleSpec.of(graph), warnings)
        except (DataError, DescriptionError) as error:
            cause = getattr(error, "diagnostics", [error])[0]
            reason = getattr(cause, "message", error)
            warnings.append(f"random spikes take the place of the data: {reason}")
        else:
            part: Part = next(name for name in SAMPLED_PARTS if name in parts)
            seed, cpu = description.document.training.seed, torch.device("cpu")
            first = parts[part][: verification.TRIED_SAMPLES]
            batch = next(Batches(first, None, cpu, seed).in_order())
            return verification.sample_inputs(part, batch.input_TBN.numpy()), warnings
    steps = min(graph.steps, verification.limit_steps(graph, *RANDOM_LIMITS))
    return verification.random_inputs((steps, *graph.input_shape)), warnings
