"""Samples in a compact form, and the specification that they must fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import Graph, SpikeTime
from netdesc.training.errors import DataError
from netdesc.training.randomness import sample_order

Shape = tuple[int, ...]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class SampleSpec:
    """What samples must match: time axis, shapes, and the number of classes if there are labels."""

    steps: int
    step_ms: float
    input_shape: Shape
    output_shape: Shape
    classes: int | None = None
    labels_by_step: bool = False
    """Whether a sample may have a label in every step."""

    @classmethod
    def of(cls, graph: Graph) -> SampleSpec:
        """The specification of samples for the network of ``graph``."""
        return cls(
            graph.steps,
            graph.step_ms,
            graph.input_shape,
            graph.output_shape,
            graph.classes,
            not isinstance(graph.loss, SpikeTime) and graph.loss.window_steps is not None,
        )


class Samples(Protocol):
    """Samples in a compact form; a slice or an array of numbers selects some of them."""

    @property
    def is_random(self) -> bool:
        """Whether inputs are drawn anew in every epoch."""
        ...

    @property
    def labels(self) -> NDArray | None:
        """Classes [samples] or [samples, steps]; None where targets are output spikes."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, which: slice | Numbers) -> Self: ...

    def dense(self, draws: np.random.Generator) -> tuple[NDArray[np.float32], NDArray]:
        """Inputs [steps, samples, *input shape] and targets of all samples.

        Targets are float32 [steps, samples, *output shape], or labels [samples] or
        [steps, samples]. Random inputs are drawn from ``draws``, sample by sample.
        """
        ...


AnySamples = TypeVar("AnySamples", bound=Samples)


def split(samples: AnySamples, share: float, seed: int) -> tuple[AnySamples, AnySamples]:
    """Splits samples into (training, validation), with ``share`` of them for validation.

    The choice depends on ``seed`` alone. At least one sample goes to validation. DataError where
    none would remain for training.
    """
    count = max(1, round(share * len(samples)))
    if count >= len(samples):
        raise DataError(
            f"a validation split of {share:g} leaves none of the {len(samples)} sample(s) to train "
            "on"
        )
    order = sample_order(len(samples), seed, 0)
    return samples[np.sort(order[count:])], samples[np.sort(order[:count])]
