"""Samples in arrays that a Python program passes, in the place of a document's data files.

They become the compact samples that files become, so that training computes the same.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from netdesc.description.models import Arrays
from netdesc.description.python_values import json_text
from netdesc.events.numbers import number_array
from netdesc.graph.nodes import Shape
from netdesc.runs.files import RECORD
from netdesc.training.arrays import PARTS, ArrayEncoder
from netdesc.training.errors import DataError, ResumeError
from netdesc.training.samples import Samples, SampleSpec
from netdesc.training.spike_files import SparseSpikes, SpikeSamples

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
    [samples, steps, *output shape], or values of this shape or [samples, *output shape].
    ``_SETTINGS`` in ``given`` mean the same as in the section ``data`` of a document; what is not
    given is taken from ``defaults``.
    """

    parts: Mapping[str, tuple[NDArray, NDArray]]
    given: Mapping[str, Any]
    defaults: Arrays = _SPIKES

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> MemoryData:
        """Converts ``{"train": (inputs, labels), …}``. DataError if it does not have this form."""
        if not isinstance(data, Mapping):
            kind = type(data).__name__
            raise DataError(f'data is a {kind}; a dict is needed: {{"train": (inputs, labels)}}')
        known = (*PARTS, *_SETTINGS)
        if unknown := [name for name in data if name not in known]:
            raise DataError(f'data has no part "{unknown[0]}"; there are {", ".join(known)}')
        pairs = {name: _pair(name, data[name]) for name in PARTS if name in data}
        if not pairs:
            raise DataError('data holds no samples: {"train": (inputs, labels)} is needed')
        return cls(pairs, {name: data[name] for name in _SETTINGS if name in data})

    def with_defaults(self, section: object) -> MemoryData:
        """Takes the settings from the ``data`` of a document, if it has arrays."""
        return replace(self, defaults=section) if isinstance(section, Arrays) else self

    @property
    def settings(self) -> Arrays:
        """How the values become inputs. DataError if ``given`` is wrong."""
        section = self.defaults.model_dump(mode="json") | dict(self.given)
        try:
            settings = Arrays.model_validate_json(json_text(section))
        except ValidationError as error:
            raise _setting_error(self.given, error) from error
        except (TypeError, ValueError) as error:
            raise DataError(f"data: {error}; {_needed(*self.given)}") from error
        low, high = settings.range
        if low >= high:
            raise DataError(f'data["range"]: {low:g} must be below {high:g}')
        return settings

    def samples(self, spec: SampleSpec, warn: Callable[[str], None]) -> dict[str, Samples]:
        """Returns the samples of each part. DataError if arrays do not fit the network."""
        settings = self.settings
        build = _with_spikes if spec.learns_from == "target spikes" else ArrayEncoder.encode
        return {
            name: build(ArrayEncoder(f'data["{name}"]', settings, spec, warn), *pair)
            for name, pair in self.parts.items()
        }

    def record(self) -> dict[str, Any]:
        """Returns what ``run.json`` keeps: the settings, and the SHA-256 of settings and arrays."""
        settings = self.settings.model_dump(mode="json", include=set(_SETTINGS))
        digest = hashlib.sha256(repr(settings).encode())
        for name, pair in self.parts.items():
            for array in pair:
                digest.update(f"{name} {array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return {**settings, "sha256": digest.hexdigest()}


def recorded_settings(record: Mapping[str, Any]) -> Arrays:
    """Returns the settings that ``MemoryData.record`` has recorded. ResumeError if damaged."""
    section: dict[str, Any] = {"type": "arrays", "path": "memory"}
    try:
        section |= {name: record[name] for name in _SETTINGS}
        return Arrays.model_validate_json(json_text(section))
    except (ValidationError, KeyError, TypeError) as error:
        raise ResumeError(f"{RECORD}: the settings in memory_data are damaged") from error


def check_same_data(
    run: Path, data: MemoryData | None, record: Mapping[str, Any] | None
) -> MemoryData | None:
    """Returns the data with which a run continues; ``record`` is the run's own.

    ResumeError if the run trains on arrays and they are missing or differ, or if it does not.
    """
    if record is None:
        if data is not None:
            raise ResumeError(
                f"{run}: this run trains on the files that its document names; resume it without "
                "data, or start a new run from its weights: netdesc.load(document, "
                '{"weights.path": …})'
            )
        return None
    if data is None:
        raise ResumeError(
            f"{run}: this run trains on arrays of a Python program, which must pass them again: "
            "netdesc.train(resume=…, data=…)"
        )
    data = data.with_defaults(recorded_settings(record))
    if data.record()["sha256"] != record.get("sha256"):
        raise ResumeError(f"{run}: the arrays of data are not those with which this run began")
    return data


def _setting_error(given: Mapping[str, Any], error: ValidationError) -> DataError:
    """Names the setting that is wrong, what is wrong with it, and an example."""
    first = error.errors(include_url=False)[0]
    name, *inner = map(str, first["loc"])
    inner = [part for part in inner if not part.startswith("<")]
    if not inner:
        return DataError(f'data["{name}"] is {given.get(name)!r}; {_needed(name)}')
    return DataError(f'data["{name}"]: {" ".join(inner)}: {first["msg"]}')


def _needed(*names: str) -> str:
    examples = (f'"{name}": {_SETTINGS[name]}' for name in names)
    return f"settings are as in a document, such as {', '.join(examples)}"


def _pair(name: str, value: Any) -> tuple[NDArray, NDArray]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise DataError(f'data["{name}"] must be a pair of arrays: (inputs, labels)')
    inputs, targets = (_array(name, each) for each in value)
    return inputs, targets


def _array(name: str, value: Any) -> NDArray:
    """Converts an array, a tensor or a list. DataError if it is no array of numbers."""
    try:
        array = number_array(value)
    except ValueError as error:
        raise DataError(f'data["{name}"]: {error}') from error
    if not array.ndim:
        raise DataError(f'data["{name}"]: an array of numbers is needed, not one number')
    return array


def _with_spikes(encoder: ArrayEncoder, inputs: NDArray, targets: NDArray) -> Samples:
    spec, source, encoding = encoder.spec, encoder.source, encoder.data.encoding.type
    if encoding != "spikes":
        raise DataError(f'{source}: a loss with target spikes takes no encoding "{encoding}"')
    if targets.ndim == 1:
        raise DataError(
            f"{source}: the loss compares spikes, and labels were given; a loss such as spike_rate "
            "learns from labels (a .net file holds no loss: import it, and set one)"
        )
    found = _sparse(f"{source}: inputs", inputs, spec.steps, spec.input_shape)
    wanted = _sparse(f"{source}: targets", targets, spec.output_steps, spec.output_shape)
    if len(found) != len(wanted) or not found:
        raise DataError(f"{source}: there are {len(found)} inputs and {len(wanted)} targets")
    silent = next((number for number, each in enumerate(wanted) if not len(each.step)), None)
    if silent is not None:
        raise DataError(f"{source}: the target of sample {silent} holds no spike to learn")
    return SpikeSamples(spec, found, wanted)


def _sparse(name: str, spikes: NDArray, steps: int, shape: Shape) -> list[SparseSpikes]:
    """Converts spikes [samples, steps, *shape]. DataError for other shapes and for no numbers."""
    if spikes.shape[1:] != (steps, *shape):
        expected = ", ".join(map(str, ("samples", steps, *shape)))
        problem = f"{name} have shape {list(spikes.shape)}; [{expected}] is needed"
        if spikes.shape[:1] + spikes.shape[2:] == (steps, *shape):
            problem += "; .transpose(0, 1) of a tensor, or .swapaxes(0, 1) of an array, gives it"
        raise DataError(problem)
    sparse: list[SparseSpikes] = []
    for number, sample in enumerate(spikes.reshape(len(spikes), steps, math.prod(shape))):
        step, cell = np.nonzero(sample)
        value = sample[step, cell].astype(np.float32)
        wrong = value[~((value > 0) & (value == np.rint(value)) & np.isfinite(value))]
        if len(wrong):
            problem = f"{wrong[0]:g} in sample {number}; numbers of spikes are needed"
            raise DataError(f"{name} have {problem}")
        sparse.append(SparseSpikes(step.astype(np.int32), cell.astype(np.int32), value))
    return sparse
