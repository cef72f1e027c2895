"""A small task: a document with required fields only, the samples, and what is its score."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from netdesc.api.evaluate import Evaluation

Part = tuple[NDArray, NDArray]
"""Inputs and labels, or targets."""

Score = Literal["accuracy", "root_mean_squared_error", "spike_distance"]

_SCORES: Mapping[Score, Callable[[Evaluation], float]] = {
    "accuracy": lambda found: found.score.accuracy,
    "root_mean_squared_error": lambda found: found.errors.root_mean_squared_error,
    "spike_distance": lambda found: found.loss,
}


@dataclass(frozen=True)
class Task:
    """``document`` lacks data. ``make`` returns the samples as ``netdesc.train`` takes them."""

    name: str
    document: Mapping[str, Any]
    make: Callable[[], dict[str, Any]]
    score: Score = "accuracy"

    @property
    def is_error(self) -> bool:
        """Whether a lower score is better."""
        return self.score != "accuracy"

    def score_of(self, evaluation: Evaluation) -> float:
        """Returns the score of an evaluation; a spike distance is the loss of a sample."""
        return _SCORES[self.score](evaluation)


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


@dataclass(frozen=True)
class Net:
    """What a document of the suite is made of; ``layers`` and ``neurons`` as in a document."""

    steps: int
    inputs: int
    neurons: Mapping[str, Any]
    layers: list[Mapping[str, Any]]
    loss: Mapping[str, Any]
    epochs: int
    training: Mapping[str, Any] = field(default_factory=dict)

    def document(self, name: str) -> dict[str, Any]:
        return {
            "format": 1,
            "name": name,
            "time": {"steps": self.steps},
            "input": {"shape": [self.inputs]},
            "neurons": dict(self.neurons),
            "layers": [dict(each) for each in self.layers],
            "loss": dict(self.loss),
            "training": {"epochs": self.epochs, "seed": 0, **self.training},
        }
