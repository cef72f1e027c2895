"""Errors of reading and writing network files."""

from __future__ import annotations

from pathlib import Path


class LayerError(ValueError):
    """A layer's numbers break a rule of the format; says which dataset (and layer) and how."""

    def __init__(self, dataset: str, problem: str, layer: int | None = None) -> None:
        super().__init__(f"{dataset} {problem}" if dataset else problem)
        self.layer = layer
        self.dataset = dataset
        self.problem = problem


class NetFileError(ValueError):
    """A ``.net`` file cannot be read, or a network cannot be said in one.

    ``layer`` is the index in the file and ``dataset`` the path within that layer, where the trouble
    lies in one of them.
    """

    def __init__(
        self, path: str | Path, problem: str, layer: int | None = None, dataset: str = ""
    ) -> None:
        places = [str(path)]
        if layer is not None:
            places.append(f"layer {layer}")
        if dataset:
            places.append(dataset)
        super().__init__(f"{': '.join(places)}: {problem}")
        self.path = Path(path)
        self.problem = problem
        self.layer = layer
        self.dataset = dataset
