"""Samples in a compact form, and what they must fit."""

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
    """What samples must fit: the time axis, the shapes, and the classes where there are labels."""

    steps: int
    step_ms: float
    input_shape: Shape
    output_shape: Shape
    classes: int | None = None
    labels_by_step: bool = False
    """Whether a sample may have a label in every step."""

    @classmethod
    def of(cls, graph: Graph) -> SampleSpec:
        """The samples that the network of ``graph`` takes."""
        return cls(
            graph.steps,
            graph.step_ms,
            graph.input_shape,
            graph.output_shape,
            graph.classes,
            not isinstance(graph.loss, SpikeTime) and graph.loss.window_steps is not None,
        )


class Samples(Protocol):
    """Samples in a compact form. ``samples[which]`` are some of them, by slice or numbers."""

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
        """Inputs [steps, samples, *input shape] and targets of all of these samples.

        Targets are float32 [steps, samples, *output shape], or labels [samples] or
        [steps, samples]. Random inputs take their numbers from ``draws``, sample by sample.
        """
        ...


AnySamples = TypeVar("AnySamples", bound=Samples)


def split(samples: AnySamples, share: float, seed: int) -> tuple[AnySamples, AnySamples]:
    """Sets ``share`` of the samples aside for validation: (training, validation).

    The seed decides which ones, always the same. At least one sample goes to validation, and at
    least one must remain for training (DataError).
    """
    count = max(1, round(share * len(samples)))
    if count >= len(samples):
        raise DataError(
            f"a validation split of {share:g} leaves none of the {len(samples)} sample(s) to train "
            "on"
        )
    order = sample_order(len(samples), seed, 0)
    return samples[np.sort(order[count:])], samples[np.sort(order[:count])]
