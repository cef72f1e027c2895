"""A small task: a document with required fields only, the samples, and what is its score."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.api.evaluate import Evaluation

Part = tuple[NDArray, NDArray]
"""Inputs and labels, or targets."""


@dataclass(frozen=True)
class Task:
    """``document`` lacks data. ``make`` returns the samples as ``netdesc.train`` takes them."""

    name: str
    document: Mapping[str, Any]
    make: Callable[[], dict[str, Any]]

    @property
    def is_error(self) -> bool:
        """Whether a lower score is better."""
        return self.document["loss"]["type"] in ("spike_time", "mean_squared_error")

    def score_of(self, evaluation: Evaluation) -> float:
        """Returns the accuracy, the root mean squared error, or the spike distance of a sample."""
        if evaluation.errors is not None:
            return evaluation.errors.root_mean_squared_error
        return evaluation.loss if evaluation.score is None else evaluation.score.accuracy


@dataclass(frozen=True)
class Sizes:
    """Numbers of samples in the three parts."""

    train: int = 300
    validation: int = 150
    test: int = 300

    def divide(self, inputs: NDArray, targets: NDArray) -> dict[str, Any]:
        """Takes the parts one after the other from arrays whose first axis is the samples."""
        ends = np.cumsum([self.train, self.validation, self.test])
        assert ends[-1] <= len(inputs), "there are too few samples"
        rows = np.split(np.arange(ends[-1]), ends[:-1])
        names = ("train", "validation", "test")
        return {name: (inputs[row], targets[row]) for name, row in zip(names, rows, strict=True)}
