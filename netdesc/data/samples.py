"""The base class of samples in a compact form, and the specification that samples must match."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models.loss import LearnsFrom
from netdesc.graph import Graph
from netdesc.graph.nodes import Shape

Indices = NDArray[np.intp]
Rngs = Iterable[np.random.Generator]
"""One generator a sample, to be used before the next one is taken."""


@dataclass(frozen=True)
class SampleSpec:
    """What samples must match; ``classes`` is None unless samples have labels."""

    steps: int
    step_ms: float
    input_shape: Shape
    output_shape: Shape
    classes: int | None = None
    labels_by_step: bool = False
    """Whether samples may have a label, or values, in every step."""
    learns_from: LearnsFrom = "labels"
    decimation: int = 1
    """The number of steps of the input in a step of the output."""
    limits: tuple[float, float] | None = None
    """The range of the grid to which a layer rounds the input; None if no layer does."""
    classifies_samples: bool = False
    """Whether the classifier takes one label a sample only."""

    @property
    def takes_steps(self) -> bool:
        """Whether the loss compares each step with a target."""
        return self.labels_by_step or self.learns_from == "target spikes"

    @property
    def output_steps(self) -> int:
        return -(-self.steps // self.decimation)

    def beyond_limits(self, inputs: NDArray) -> str:
        """Returns a warning if ``limits`` cut some of the inputs off, an empty text otherwise."""
        if self.limits is None or not inputs.size:
            return ""
        low, high = self.limits
        if low <= inputs.min() and inputs.max() <= high:
            return ""
        return f'has inputs outside of {low:g} to {high:.2f}, which a layer "neurons" cuts off'

    @classmethod
    def of(cls, graph: Graph) -> "SampleSpec":
        """Returns the specification of samples for the network of ``graph``."""
        return cls(
            graph.steps,
            graph.step_ms,
            graph.input_shape,
            graph.output_shape,
            graph.classes,
            all(loss.is_by_step for loss in graph.losses),
            graph.loss.learns_from,
            graph.decimation,
            graph.input_limits,
            graph.classifier is not None and graph.classifier.window_steps is None,
        )


class Samples:
    """The samples ``rows`` of a list in a compact form. The base class of dataclasses.

    Indexing with a slice or an array of indices selects samples.
    """

    rows: Indices
    """The number of each sample in its part of the data, before ``validation_split`` and any
    selection; random inputs depend on it."""

    @property
    def is_random(self) -> bool:
        """Whether inputs are random, and drawn again in every epoch."""
        return False

    @property
    def reads_files(self) -> bool:
        """Whether ``loaded`` reads files."""
        return False

    @property
    def labels(self) -> NDArray | None:
        """Classes [samples] or [samples, steps]; None if samples have targets."""
        raise NotImplementedError

    @property
    def indices(self) -> Indices:
        """The number of each sample in the arrays, or in the list of its part."""
        return self.rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: slice | Indices) -> Self:
        return replace(cast("Any", self), rows=self.rows[which])

    def loaded(self) -> Self:
        """Returns these samples with all that ``dense`` needs of files in memory."""
        return self

    def dense(self, rngs: Rngs) -> tuple[NDArray[np.float32], NDArray]:
        """Returns the inputs, float32 [steps, samples, *input shape], and targets of all samples.

        Targets are float32 [steps, samples, *output shape] or, if they are values of whole
        samples, [1, samples, *output shape]; or labels [samples] or [steps, samples]. Random
        inputs are drawn from ``rngs``, one a sample. Targets that are the inputs are the same
        array.
        """
        raise NotImplementedError
