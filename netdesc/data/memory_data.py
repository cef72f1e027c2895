"""Samples in arrays that a Python program passes, in the place of a document's data files.

They become the compact samples that files become, so that training computes the same.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from netdesc.data.array_checks import ArrayChecks
from netdesc.data.array_samples import ArraySamples, build_samples
from netdesc.data.data_errors import DataError
from netdesc.data.samples import Samples, SampleSpec
from netdesc.data.torch_dataset import DatasetReader, is_dataset
from netdesc.description.load import check_value
from netdesc.description.models.arrays import LEARNT_FROM, NETWORK_INPUTS, Arrays, DataSection
from netdesc.description.models.data import PARTS
from netdesc.description.models.document import FORMAT
from netdesc.description.overrides import json_text
from netdesc.events.npy_header import ArrayHeader
from netdesc.events.numbers import number_array

_SETTINGS = {
    "encoding": '{"type": "rate"}',
    "range": "(0, 1)",
    "to": "(-1, 1)",
    "augmentation": '[{"type": "time_shift", "max_steps": 5}]',
}
"""The settings, each with an example."""
_SPIKES = Arrays(type="arrays", path="memory")


@dataclass(frozen=True, eq=False)
class MemoryData:
    """Arrays of inputs and of labels or targets, by part (``PARTS``).

    Inputs are spikes or a series [samples, steps, *input shape], or values [samples, *input shape]
    for other encodings. Labels are integers [samples] or [samples, steps]; targets are spikes
    [samples, steps, *output shape], or values of this shape or [samples, *output shape]; the text
    "inputs" stands for the inputs themselves. Samples of torch datasets are joined to such arrays.
    ``_SETTINGS`` in ``given`` mean the same as in the section ``data`` of a document; what is not
    given is taken from ``defaults``.
    """

    parts: Mapping[str, tuple[NDArray, NDArray | None]]
    given: Mapping[str, Any]
    defaults: Arrays = _SPIKES

    @classmethod
    def of(cls, data: Mapping[str, Any], reader: DatasetReader | None = None) -> "MemoryData":
        """Converts ``{"train": (inputs, labels), …}``, and reads datasets in the place of pairs.

        DataError if ``data`` does not have this form, or samples of a dataset do not fit together.
        """
        if not isinstance(data, Mapping):
            kind = type(data).__name__
            raise DataError(f'data is a {kind}; a dict is needed: {{"train": (inputs, labels)}}')
        known = (*PARTS, *_SETTINGS)
        if unknown := [name for name in data if name not in known]:
            raise DataError(f'data has no part "{unknown[0]}"; there are {", ".join(known)}')
        reader = reader or DatasetReader()
        pairs = {name: _pair(name, data[name], reader) for name in PARTS if name in data}
        if not pairs:
            raise DataError('data holds no samples: {"train": (inputs, labels)} is needed')
        return cls(pairs, {name: data[name] for name in _SETTINGS if name in data})

    def with_defaults(self, section: DataSection | None) -> "MemoryData":
        """Takes the settings from the ``data`` of a document, if it has arrays."""
        arrays = None if section is None else section.as_arrays
        return self if arrays is None else replace(self, defaults=arrays)

    @property
    def settings(self) -> Arrays:
        """How the values become inputs. DataError if ``given`` is wrong."""
        section = self.defaults.model_dump(mode="json") | dict(self.given)
        try:
            settings = Arrays.model_validate_json(json_text(section))
        except ValidationError as error:
            raise _setting_error(section) from error
        except (TypeError, ValueError) as error:
            examples = ", ".join(f'"{name}": {_SETTINGS[name]}' for name in self.given)
            way = f"settings are as in a document, such as {examples}"
            raise DataError(f"data: {error}; {way}") from error
        low, high = settings.range
        if low >= high:
            raise DataError(f'data["range"]: {low:g} must be below {high:g}')
        return settings

    def samples(self, spec: SampleSpec, warn: Callable[[str], None]) -> dict[str, Samples]:
        """Returns the samples of each part. DataError if arrays do not fit the network."""
        return {name: self._part(name, spec, warn) for name in self.parts}

    def _part(self, name: str, spec: SampleSpec, warn: Callable[[str], None]) -> ArraySamples:
        (inputs, targets), part = self.parts[name], f'data["{name}"]'
        arrays = {"inputs": inputs}
        names: dict[str, str | None] = {"labels": "labels", "targets": None, "multi_hot": None}
        if targets is None:
            names["targets"] = NETWORK_INPUTS
        elif spec.learns_from == "target spikes" and targets.ndim == 1:
            raise DataError(
                f"{part}: the loss compares spikes, and labels were given; a loss such as "
                "spike_rate learns from labels (a .net file holds no loss: import it, and set one)"
            )
        else:
            field = _FIELDS[spec.learns_from]
            names[field], arrays[field] = field, targets
        update = {"inputs": "inputs", "split": None, **names}
        settings = self.settings.model_copy(update=update)
        checks = ArrayChecks(settings, spec, _ArraysInMemory(arrays), part)
        try:
            checks.run()
        except ValueError as error:  # spikes would come after the last step
            raise DataError(f"{part}: {error}") from error
        for problem in checks.problems:
            if problem.is_error:
                raise DataError(f"{part}: {problem.text}")
            warn(f"{part}: {problem.text}")
        return build_samples(checks)

    def record(self) -> dict[str, Any]:
        """Returns what ``run.json`` keeps: the settings, and the SHA-256 of settings and arrays."""
        settings = self.settings.model_dump(mode="json", include=set(_SETTINGS))
        digest = hashlib.sha256(repr(settings).encode())
        for name, pair in self.parts.items():
            for array in pair:
                if array is not None:
                    digest.update(f"{name} {array.dtype} {array.shape}".encode())
                    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return {**settings, "sha256": digest.hexdigest()}


class _ArraysInMemory:
    def __init__(self, arrays: Mapping[str, NDArray]) -> None:
        self.names, self._arrays = list(arrays), arrays

    def header(self, name: str) -> ArrayHeader:
        return ArrayHeader(self._arrays[name].shape, self._arrays[name].dtype)

    def read(self, name: str) -> NDArray:
        return self._arrays[name]

    def is_mapped(self, name: str) -> bool:
        return True


_FIELDS = {learnt: field for field, kinds in LEARNT_FROM.items() for learnt in kinds}
"""What a loss learns from -> the field of the section ``data`` that names such an array."""


def recorded_settings(record: Mapping[str, Any]) -> Arrays:
    """Returns the settings that ``MemoryData.record`` has recorded. DataError if damaged."""
    section: dict[str, Any] = {"type": "arrays", "path": "memory"}
    try:
        section |= {name: record[name] for name in _SETTINGS}
        return Arrays.model_validate_json(json_text(section))
    except (ValidationError, KeyError, TypeError) as error:
        raise DataError("run.json: the settings in memory_data are damaged") from error


def check_same_data(
    run: Path, data: MemoryData | None, record: Mapping[str, Any] | None
) -> MemoryData | None:
    """Returns the data with which a run continues; ``record`` is the run's own.

    DataError if the run trains on arrays and they are missing or differ, or if it does not.
    """
    if record is None:
        if data is not None:
            raise DataError(
                f"{run}: this run trains on the files that its document names; resume it without "
                "data, or start a new run from its weights: netdesc.load(document, "
                '{"weights.path": …})'
            )
        return None
    if data is None:
        raise DataError(
            f"{run}: this run trains on arrays of a Python program, which must pass them again: "
            "netdesc.train(resume=…, data=…)"
        )
    data = data.with_defaults(recorded_settings(record))
    if data.record()["sha256"] != record.get("sha256"):
        problem = "data is not that with which this run began; all parts, types and settings count"
        raise DataError(f"{run}: {problem}")
    return data


def _setting_error(section: Mapping[str, Any]) -> DataError:
    """Returns the first error of the settings, as a document's ``data`` would have it."""
    _, diagnostics = check_value(json_text({"format": FORMAT, "data": section}), "data")
    first = next(error for error in diagnostics if error.pointer.startswith("/data/"))
    return DataError("; ".join(filter(None, (first.message, first.hint))))


def _pair(name: str, value: Any, reader: DatasetReader) -> tuple[NDArray, NDArray | None]:
    if is_dataset(value):
        return reader.read(name, value)
    if not isinstance(value, tuple | list) or len(value) != 2:
        way = "(inputs, labels), or a torch Dataset or DataLoader of pairs (input, label)"
        raise DataError(f'data["{name}"] must be a pair of arrays: {way}')
    inputs, targets = value
    is_autoencoder = isinstance(targets, str) and targets == NETWORK_INPUTS
    return _array(name, inputs), None if is_autoencoder else _array(name, targets)


def _array(name: str, value: Any) -> NDArray:
    """Converts an array, a tensor or a list. DataError if it is no array of numbers."""
    try:
        array = number_array(value)
    except ValueError as error:
        raise DataError(f'data["{name}"]: {error}') from error
    if not array.ndim:
        raise DataError(f'data["{name}"]: an array of numbers is needed, not one number')
    return array
