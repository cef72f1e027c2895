"""Exports a network as a ``.net`` file."""

from pathlib import Path
from typing import cast

from netdesc import exchange
from netdesc.api.compile import Source, open_network
from netdesc.hardware.integers import FoldedModel


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
