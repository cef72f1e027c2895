"""Exports a network as a file of another program."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from netdesc import exchange
from netdesc.api.compile import OpenedNetwork, Source, open_network
from netdesc.api.verify import own_inputs
from netdesc.description.models.document import MAX_STEPS
from netdesc.exchange.export_options import ExportOptions, Sample
from netdesc.exchange.formats import format_to_write, write_network
from netdesc.exchange.verification import limit_steps, run_model
from netdesc.hardware import FoldedModel, HardwareError, IntegerNetwork
from netdesc.modules import Network

MAX_OPERATIONS = 1_000_000_000
"""The most synaptic operations of the sample of an export, if they leave steps enough."""


def export(
    network: Source,
    path: str | Path,
    *,
    target: str | None = None,
    force: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> list[str]:
    """Writes a network as the file ``path``, in the format that the end of its name says.

    ``.net`` is read by lava-dl, ``.nir`` by many simulators and chips, ``.c`` is a program for
    microcontrollers, ``.py`` a torch module that needs no netdesc. ``network`` is anything that
    ``compile`` takes; a run is exported with its best weights. ``target`` is the program for which
    a ``.nir`` file is written: ``snntorch``, ``norse``, ``spikingjelly``, ``spyx``, ``sinabs`` or
    ``rockpool``. With ``force``, what the format cannot say is left out with a warning. ``note``
    gets sentences about the file, such as how to read it. Returns the warnings. NetFileError (a
    ValueError) if the file cannot be written, or if the format cannot hold the network, and the
    errors of ``compile``.

    >>> warnings = netdesc.export(compiled, "oxford.nir", target="norse")
    >>> Path("oxford.nir").exists()
    True
    """
    options = ExportOptions(target=target, force=force, note=note)
    format = format_to_write(path, options)
    opened = open_network(network)
    if opened.description is not None:
        digest = hashlib.sha256(opened.description.text.encode()).hexdigest()
        options = replace(options, document_sha256=digest)
    warnings = list(opened.warnings)
    if format.wants_sample:
        options = replace(options, sample=own_sample(opened, warnings))
    return warnings + write_network(opened.compiled.model, path, options)


def own_sample(opened: OpenedNetwork, warnings: list[str]) -> Sample:
    """Returns the first of the network's own inputs for which its output is not silent.

    If there is none, the first. See ``verify``.
    """
    model = opened.compiled.model
    inputs, problems = own_inputs(opened)
    warnings += problems
    steps, first = limit_steps(model.graph, MAX_STEPS, MAX_OPERATIONS), None
    for name, input_TN in inputs:
        sample = _run(model, name, input_TN[:steps])
        if sample.output_TN.any():
            return sample
        first = first or sample
    assert first is not None, "there are always random spikes"
    return first


def _run(model: Network, name: str, input_TN: np.ndarray) -> Sample:
    try:
        output_TN = IntegerNetwork(model.graph, model.folded_state()).run_all(input_TN)
    except HardwareError:  # a network without integers
        output_TN = run_model(model, input_TN).flatten(2)[:, 0].numpy()
    return Sample(name, input_TN, output_TN)


def export_net(network: Source | FoldedModel, path: str | Path) -> list[str]:
    """Writes a network as the ``.net`` file ``path``.

    ``network`` is anything that ``compile`` takes, or the ``model`` of its result. A run is
    exported with its best weights. Returns a warning if the document of ``network`` names no
    weights, and for each layer that netx (lava-dl's loader of ``.net`` files) cannot run, or runs
    as another one. NetFileError (a ValueError) if the file cannot be written, if ``path`` does not
    end in ``.net``, or if the format cannot hold a layer: one that reads another layer than the
    previous one, is not quantised to 8 bits, has neurons that the format does not know, spikes
    without an axonal delay step, or has a parameter that is NaN. The errors of ``compile`` if the
    network cannot be built.

    >>> netdesc.export_net(compiled, "oxford.net")
    []
    """
    if hasattr(network, "folded_state"):  # a model, also one of torch.compile
        return exchange.export_net(cast("FoldedModel", network), path)
    opened = open_network(cast("Source", network))
    return opened.warnings + exchange.export_net(opened.compiled.model, path)
