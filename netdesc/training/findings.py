"""What a user should know about a trained network: what did not learn, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netdesc.runs.run_record import Finding
from netdesc.training.saver import Progress
from netdesc.training.setup import Setup


def find_learning_problems(setup: Setup, progress: Progress) -> Iterator[Finding]:
    """Yields what did not spike or learn in the last epoch, and whether the first was the best.

    The last epoch's spike rates cover all training samples. At a loss of 0 all gradients are 0, so
    nothing is said about gradients. Layers whose states alone are read need not spike.
    """
    last, graph = progress.last, setup.graph
    silent = [name for name in _at_zero(last["spike_rates"]) if name not in graph.read_by_state]
    if silent:
        yield Finding(
            code="ND410",
            message=f"no neuron of {_quote(silent)} spiked in the last epoch",
            help="a lower threshold, a larger weight_scale or a lower learning rate may help",
        )
    unreached = _at_zero(last["gradient_norms"])
    if unreached and last["loss"] > 0:
        message = f"no gradient reached {_quote(unreached)} in the last epoch"
        yield Finding(code="ND411", message=message, help="so nothing was learned there")
    # A validation loss rises also by overfitting.
    has_risen = last["loss"] > progress.best_loss
    if setup.validation is None and progress.best_epoch == 0 and has_risen:
        yield Finding(
            code="ND412",
            message="the first epoch was the best",
            help="a lower learning rate may help",
        )


def _at_zero(values: Mapping[str, float]) -> list[str]:
    return [layer for layer, value in values.items() if value == 0]


def _quote(layers: Sequence[str]) -> str:
    names = ", ".join(f'"{layer}"' for layer in layers)
    return f"layer {names}" if len(layers) == 1 else f"the layers {names}"
