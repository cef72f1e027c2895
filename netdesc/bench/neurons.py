"""Times the neurons beside one another: alone, and in a dense layer beside other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from netdesc.bench.facts import machine
from netdesc.bench.layer import NEURON, LayerSize, Measurement
from netdesc.bench.peers import PROGRAMS
from netdesc.bench.peers.work import Work
from netdesc.bench.programs import BenchUsageError, run, run_itself
from netdesc.neurons.models import NEURONS

NEURON_NAMES = tuple(name for name in NEURONS if name != "equations")

VALUES = {
    **NEURON,
    "threshold_step": 0.5,
    "threshold_decay": 0.05,
    "refractory_decay": 0.2,
    "period": 10.0,
    "decay": 0.05,
}
"""Field -> its value in all neurons that have it. Without a current, the threshold is 1."""


@dataclass(frozen=True)
class NeuronTimes:
    """The times of one neuron.

    ``passes`` are ``forward`` and ``backward`` of the neurons without synapses, ``learnt`` (the
    backward pass with the gradients of all parameters that can be learnt; absent without such
    parameters), and ``layer``, the forward and backward pass of a dense layer. Their ratios are
    those to CUBA. ``peers`` has the layers of other programs; their ratios are those to netdesc.
    """

    neuron: str
    passes: dict[str, Measurement]
    peers: list[Measurement]


@dataclass(frozen=True)
class NeuronComparison:
    """The times of the neurons, CUBA first, and the conditions."""

    size: LayerSize
    machine: dict[str, object]
    neurons: list[NeuronTimes]

    def record(self) -> dict[str, Any]:
        """Returns the object that ``--json`` prints."""
        return {"values": VALUES, **asdict(self)}


def choose_neurons(names: Sequence[str]) -> tuple[str, ...]:
    """Returns CUBA and the named neurons, or all. BenchUsageError if one is unknown."""
    for name in names:
        if name not in NEURON_NAMES:
            raise BenchUsageError(f'unknown neuron "{name}"; known are {", ".join(NEURON_NAMES)}')
    return tuple(dict.fromkeys(("cuba", *(names or NEURON_NAMES))))


def compare_neurons(
    names: Sequence[str],
    size: LayerSize,
    against: Sequence[str],
    interpreters: Mapping[str, str],
    *,
    device: str = "cpu",
    repeats: int = 20,
    report: Callable[[str], None] = lambda text: None,
) -> NeuronComparison:
    """Measures the neurons ``names``, of which CUBA is the first.

    If another program has no similar neuron, is missing or fails, its measurement gives the reason.
    BenchError if a measurement of netdesc fails.
    """
    facts, found = machine(), list[NeuronTimes]()
    for name in names:
        report(f"measuring {name} …")
        works = _works(name, size, device, repeats)
        first = found[0].passes if found else {}
        passes = {
            key: Measurement.from_answer(answer, size, first[key].median_ms if first else None)
            for key, answer in zip(works, run_itself(*works.values()), strict=True)
        }
        peers: list[Measurement] = []
        for peer in against:
            if name not in PROGRAMS[peer].neurons:
                peers.append(Measurement(peer, "missing", f'it has no neuron like "{name}"'))
                continue
            report(f"measuring {peer} …")
            answer = run(peer, works["layer"], interpreters[peer])
            peers.append(Measurement.from_answer(answer, size, passes["layer"].median_ms))
        found.append(NeuronTimes(name, passes, peers))
    return NeuronComparison(size, facts, found)


def _works(name: str, size: LayerSize, device: str, repeats: int) -> dict[str, Work]:
    """Returns the work of each pass (see ``NeuronTimes``)."""
    section = NEURONS[name]
    fields = {field: value for field, value in VALUES.items() if field in section.model_fields}
    if "threshold" in fields and "current_decay" not in fields:
        fields["threshold"] = 1.0
    learnable = list(section.model_validate({"type": name, **fields}).learnable())
    layer = size.work(device, repeats)

    def work_of(**settings: Any) -> Work:
        neuron = {"neuron_type": name, "neuron": fields}
        return replace(layer, settings={**layer.settings, **neuron, **settings})

    learnt = {"neuron": {**fields, "learn": learnable}}
    return {
        "forward": work_of(task="neurons", timed="forward"),
        "backward": work_of(task="neurons", timed="backward"),
        **({"learnt": work_of(task="neurons", timed="backward", **learnt)} if learnable else {}),
        "layer": work_of(),
    }
