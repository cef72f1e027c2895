"""The space that a sweep searches: its variants, the values at each path, and its objectives."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup
from netdesc.description.load import Description
from netdesc.description.models import Document
from netdesc.description.models.sweep import Sweep, SweptValues
from netdesc.description.overrides import apply_overrides, override_arguments


class Parameter(NamedTuple):
    """A path that varies, with a range from ``low`` to ``high``, or else with ``choices``.

    ``parts`` is the place of its entry in the document.
    """

    path: str
    low: float
    high: float
    log: bool
    is_integer: bool
    choices: tuple[Any, ...] | None
    steps: int | None
    """Number of values of a range in a grid."""
    parts: Parts

    @property
    def options(self) -> list[tuple[Any, Parts]]:
        """The choices or the two ends of the range, each with its place in the document."""
        form = "choices" if self.choices is not None else "log" if self.log else "range"
        values = (self.low, self.high) if self.choices is None else self.choices
        return [(value, (*self.parts, form, index)) for index, value in enumerate(values)]

    def at(self, share: float, margin: float = 0.0) -> Any:
        """Returns the value at a share of the range, from 0 to 1, or of the choices, below 1.

        Before rounding, both ends of a range of integers are wider by ``margin``.
        """
        if self.choices is not None:
            return self.choices[int(share * len(self.choices))]
        low, high = self.low - margin * self.is_integer, self.high + margin * self.is_integer
        if self.log:
            value = math.exp((1 - share) * math.log(low) + share * math.log(high))
        else:
            value = (1 - share) * low + share * high
        return min(max(round(value) if self.is_integer else value, self.low), self.high)

    def grid(self) -> tuple[Any, ...]:
        """Returns the values in a grid: the choices, or those of the range in rising order."""
        if self.choices is not None:
            return self.choices
        assert self.steps is not None
        inner = (self.at(index / (self.steps - 1)) for index in range(1, self.steps - 1))
        return tuple(dict.fromkeys((self.low, *inner, self.high)))


class Variant(NamedTuple):
    """A form of the network: its ``settings``, and all ``parameters`` that vary in it, by path.

    A sweep without variants has one whose name is "".
    """

    name: str
    settings: dict[str, Any]
    parameters: tuple[Parameter, ...]


class Objective(NamedTuple):
    metric: str
    maximize: bool


class SweepSpace(NamedTuple):
    """What the section ``sweep`` of a description searches."""

    variants: tuple[Variant, ...]
    objectives: tuple[Objective, ...]
    section: Sweep
    description: Description

    @property
    def method(self) -> str:
        """The name of the method, also if the section leaves the choice to netdesc."""
        return self.section.method or ("nsga2" if len(self.objectives) > 1 else "tpe")

    @property
    def paths(self) -> list[str]:
        """The paths that vary in any variant."""
        return list(dict.fromkeys(axis.path for form in self.variants for axis in form.parameters))

    @property
    def trials(self) -> int:
        """The number of trials: of the section, or else of the points of its grid."""
        return self.section.trials or self.grid_size()

    def grid(self) -> Iterator[tuple[Variant, dict[str, Any]]]:
        """Yields all points of a grid: variant after variant, the last path varies fastest."""
        for variant in self.variants:
            paths = [parameter.path for parameter in variant.parameters]
            for values in itertools.product(*(axis.grid() for axis in variant.parameters)):
                yield variant, dict(zip(paths, values, strict=True))

    def grid_size(self) -> int:
        sizes = ([len(axis.grid()) for axis in form.parameters] for form in self.variants)
        return sum(map(math.prod, sizes))

    def overrides(
        self, variant: Variant, values: Mapping[str, Any], seed_number: int = 0
    ) -> dict[str, Any]:
        """Returns the overrides that turn the document into that of a training of a trial.

        Paths of files become absolute, because in overrides they would be relative to the working
        directory. ``seed_number`` counts the trainings of a trial from 0; it is added to the seed.
        """
        settings = {**variant.settings, **values}
        applied = apply_settings(self.description, settings)
        absolute = {path: lookup(applied.data, parts) for path, parts in applied.places.items()}
        seed = lookup(applied.data, ("training", "seed")) or 0  # 0 is the default
        return {**settings, **absolute, "training.seed": seed + seed_number}


class Applied(NamedTuple):
    """The data of a document with a value for each of some entries."""

    data: dict[str, Any]
    places: dict[str, Parts]
    """The places of the values by their paths; without those that others replaced."""
    refused: list[Diagnostic]


def apply_settings(description: Description, settings: Mapping[str, Any]) -> Applied:
    """Applies settings as ``--set`` does, but with paths of files relative to the document."""
    base, folder = description.source_map, str(description.path.parent)
    arguments = dict(zip(override_arguments(settings), settings, strict=True))
    data, changed, refused = apply_overrides(base.data, [*arguments], base.source.name, folder)
    return Applied(data, {arguments[by]: parts for parts, by in changed.items()}, refused)


def takes_integers(parts: Parts, data: Any) -> bool | None:
    """Returns whether a field takes integers only; None if it takes no numbers."""
    annotations = structure.annotations_at(parts, data)
    kinds = {kind for annotation in annotations for kind in structure.alternatives(annotation)}
    return None if not kinds & {int, float} else float not in kinds


def sweep_space(description: Description) -> SweepSpace:
    """Returns the space of a document whose section ``sweep`` has no errors (``check_sweep``)."""
    sweep = description.document.sweep
    assert sweep is not None
    shared = {path: (("sweep", "over", path), values) for path, values in sweep.over.items()}
    variants = [] if sweep.variants else [_variant(description, "", {}, shared)]
    for index, form in enumerate(sweep.variants):
        at = ("sweep", "variants", index, "over")
        own = {path: ((*at, path), values) for path, values in form.over.items()}
        variants.append(_variant(description, form.name, form.set, {**shared, **own}))
    objectives = objectives_of(description.document)
    return SweepSpace(tuple(variants), objectives, sweep, description)


def _variant(
    description: Description,
    name: str,
    settings: dict[str, Any],
    over: Mapping[str, tuple[Parts, SweptValues]],
) -> Variant:
    first = {path: next(iter(values.choices or values.ends)) for path, (_, values) in over.items()}
    applied = apply_settings(description, {**settings, **first})
    parameters: list[Parameter] = []
    for path, (at, values) in over.items():
        is_integer = takes_integers(applied.places.get(path, ()), applied.data) is True
        whole = (int(end) if is_integer and end.is_integer() else end for end in values.ends)
        low, high = (0, 0) if values.choices is not None else whole
        is_log, choices, steps = values.log is not None, values.choices, values.steps
        parameters.append(Parameter(path, low, high, is_log, is_integer, choices, steps, at))
    return Variant(name, settings, tuple(parameters))


def objectives_of(document: Document) -> tuple[Objective, ...]:
    """Returns the objectives of a document, or the metric that it takes by default."""
    assert document.sweep is not None
    stated = [
        Objective(goal.maximize or goal.minimize or "", goal.maximize is not None)
        for goal in document.sweep.objectives
    ]
    own = any(getattr(document.data, part, None) for part in ("validation", "split"))
    metric = document.epoch_metrics(own or document.training.validation_split > 0)[0]
    return tuple(stated or [Objective(metric, not metric.endswith("loss"))])
