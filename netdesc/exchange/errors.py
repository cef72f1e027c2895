"""Errors of reading and writing network files."""

from __future__ import annotations

from pathlib import Path


class LayerError(ValueError):
    """A layer breaks a rule of the format.

    ``dataset`` is the dataset within the layer, ``layer`` the layer's index in the file if known.
    """

    def __init__(self, dataset: str, problem: str, layer: int | None = None) -> None:
        super().__init__(f"{dataset} {problem}" if dataset else problem)
        self.layer = layer
        self.dataset = dataset
        self.problem = problem


class NetFileError(ValueError):
    """A ``.net`` file cannot be read, or it cannot hold a network.

    ``layer`` is the index of the layer and ``dataset`` the path within it, if one is at fault.
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
