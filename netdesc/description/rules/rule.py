"""What a rule is made of: its decorator, its input (``Context``) and its diagnostics."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from netdesc.description.json.tree import Parts
from netdesc.description.models import Document
from netdesc.description.models.data import Pair
from netdesc.description.models.layers import LayerSection, SynapticSection
from netdesc.description.models.loss import OneLoss
from netdesc.description.shapes import Wiring
from netdesc.description.source_map import On, RelatedPath
from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.models import NeuronSection
from netdesc.sections import Section


@dataclass(frozen=True, slots=True)
class Issue:
    """A diagnostic of a rule, for what ``on`` says of the path ``parts``."""

    parts: Parts
    message: str
    hint: str = ""
    related: tuple[RelatedPath, ...] = ()
    notes: tuple[str, ...] = ()
    on: On = "value"
    meant: str | None = None
    """The correct value, which ``--fix`` writes; ``None`` if the correction is ambiguous."""


@dataclass(frozen=True, slots=True)
class NeuronParameter:
    """A parameter of a neuron: a number, or a range (low, high), at the path ``parts``."""

    parts: Parts
    neuron_parts: Parts
    neuron: NeuronSection
    name: str
    kind: ParameterKind
    value: float | tuple[float, float]

    @property
    def ends(self) -> list[tuple[Parts, float]]:
        """The number, or both ends of the range, each with its place."""
        if isinstance(self.value, tuple):
            return [((*self.parts, index), end) for index, end in enumerate(self.value)]
        return [(self.parts, self.value)]

    @property
    def is_spike_threshold(self) -> bool:
        """Whether it is the threshold at which a neuron spikes that netdesc brings."""
        neuron = self.neuron
        is_own = neuron.has_own_equations
        return self.name == "threshold" and not is_own and neuron.equations().spike is not None


@dataclass(frozen=True)
class Context:
    """A rule's input: a document of valid structure, and the shapes of its layers."""

    document: Document
    wiring: Wiring

    def pairs(self) -> Iterator[tuple[Parts, Pair]]:
        """Yields every sample that the document lists, with its place in the document."""
        data = self.document.data
        for part, pairs in ({} if data is None else data.pairs).items():
            for index, pair in enumerate(pairs):
                yield ("data", part, index), pair

    def losses(self) -> Iterator[tuple[Parts, OneLoss, int | None]]:
        """Yields every loss with its place, and with the index of the layer that it reads: None if
        there is no such layer.
        """
        is_list, layers = isinstance(self.document.loss, tuple), [*enumerate(self.document.layers)]
        indices: dict[str | None, int] = {layer.name: index for index, layer in reversed(layers)}
        indices[None] = indices[layers[-1][1].name] = len(layers) - 1
        for at, loss in enumerate(self.document.losses):
            yield ("loss", at) if is_list else ("loss",), loss, indices.get(loss.from_)

    @cached_property
    def sections(self) -> tuple[tuple[Parts, Section], ...]:
        """Every object of the document, but for samples, with its place."""
        return tuple(_sections((), self.document))

    def neuron_layers(self) -> Iterator[tuple[int, SynapticSection]]:
        """Yields every layer that has synapses and neurons, with its index."""
        for index, layer in enumerate(self.document.layers):
            if isinstance(layer, SynapticSection):
                yield index, layer

    def neuron_of(self, layer: LayerSection) -> NeuronSection | None:
        """Returns the neuron of a layer; None if it has none or the document does not have it."""
        return layer.neuron_of(self.document.neurons)

    def neurons(self) -> Iterator[tuple[Parts, NeuronSection]]:
        """Yields every neuron with its place: first the entries of ``neurons``, then the neurons
        that layers contain.
        """
        for parts, section in self.sections:
            if isinstance(section, NeuronSection):
                yield parts, section

    def neuron_parameters(self) -> Iterator[NeuronParameter]:
        for parts, neuron in self.neurons():
            kinds = neuron.value_kinds()
            for name, value in neuron.values().items():
                path = (*parts, *neuron.value_path(name))
                yield NeuronParameter(path, parts, neuron, name, kinds[name], value)


def _sections(parts: Parts, value: object) -> Iterator[tuple[Parts, Section]]:
    members: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, Pair):  # of which there may be very many
        return
    if isinstance(value, Section):
        yield parts, value
        fields = type(value).model_fields.items()
        members = ((info.alias or name, getattr(value, name)) for name, info in fields)
    elif isinstance(value, tuple):
        members = enumerate(cast("tuple[object, ...]", value))
    elif isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
    for key, member in members:
        yield from _sections((*parts, key), member)


Found = Iterator[Issue]
Check = Callable[[Context], Found]

RULES: dict[str, Check] = {}
"""Code -> its rule."""


def rule(code: str) -> Callable[[Check], Check]:
    """Makes a rule of a check. The folder ``codes`` explains its code."""
    return lambda check: RULES.setdefault(code, check)
