"""Checks that arrays fit the network (ND309 to ND321, ND324 to ND326, ND331).

The arrays are in files or in the memory of a Python program.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from netdesc.data import array_hints as hints
from netdesc.data.array_files import ArrayFileError, ArraySource, UnpackedSizeError, quote_name
from netdesc.data.data_context import Problem, TrainingSet
from netdesc.data.encoding import Code, build_code
from netdesc.data.samples import SampleSpec
from netdesc.description.models import Arrays
from netdesc.description.models.arrays import LEARNT_FROM
from netdesc.description.models.document import MAX_STEPS
from netdesc.description.source_map import RelatedPath
from netdesc.description.spelling import allowed_note
from netdesc.events.npy_header import ArrayHeader
from netdesc.graph.memory import find_shortage

TRAIN, VALIDATION, TEST = 0, 1, 2
"""The values of the array ``split``: the part to which each sample belongs."""

_CHUNK_VALUES = 1 << 22
Result = TypeVar("Result")


class ArrayChecks:
    """Checks arrays of samples, as the section ``data`` describes them.

    ``file`` names their file in messages, or ``files`` by the field of each array. The values of
    arrays with more than ``max_bytes`` are not checked; ``unchecked`` then names these arrays. If
    ``are_checked``, a run has checked the data before, so values of mapped files are not checked.
    ``run`` fills ``problems`` and ``arrays``, the checked arrays by the field that names them, and
    sets ``training_set``.
    """

    def __init__(
        self,
        data: Arrays,
        spec: SampleSpec,
        source: ArraySource,
        file: str,
        max_bytes: float = math.inf,
        files: Mapping[str, str] | None = None,
        are_checked: bool = False,
    ) -> None:
        self.data, self.spec, self.source, self.max_bytes = data, spec, source, max_bytes
        self.are_checked = are_checked
        self.files = dict.fromkeys(("inputs", *LEARNT_FROM, "split"), file) | dict(files or {})
        self.problems: list[Problem] = []
        self.unchecked: list[str] = []
        self.arrays: dict[str, NDArray] = {}
        self.code: Code | None = None
        self.training_set = TrainingSet()

    def run(self, batch_size: int | None = None, free: int | None = None) -> None:
        """Checks all. Arrays and a batch of ``batch_size`` samples must fit in ``free`` bytes."""
        data, spec = self.data, self.spec
        field, name = data.goal
        takes_labels = spec.learns_from == "labels"
        inputs = self._header("inputs", data.inputs, "biuf")
        goal = split = None
        if data.is_autoencoder:
            self._check_autoencoder()
        else:
            goal = self._header(field, name, "iu" if takes_labels else "biuf")
        if data.split is not None:
            split = self._header("split", data.split, "iu")
        if inputs is None or self._has_other_order(inputs, goal):
            return  # other problems would be consequences of the transposed axes
        self._check_inputs(inputs)
        axes = len(spec.input_shape)
        if len(inputs.shape) not in (axes + 1, axes + 2):
            return  # the first axis may not be the axis of the samples
        samples = inputs.shape[0]
        if samples == 0:
            message = f"the array {quote_name(data.inputs)} has no samples to train on"
            self._add("ND317", "inputs", message)
        parts = self._check_split(split, samples)
        labels = count = distinct = in_training = None
        if samples and (data.split is None or parts is not None):
            in_training = np.ones(samples, bool) if parts is None else parts == TRAIN
            count = int(in_training.sum())
        batch = min(batch_size or samples, count or samples)
        code = self.code
        if code is not None and (free is None or self._has_memory(inputs, code, batch, free)):
            self._check_input_values(inputs, code)
        if goal is not None and takes_labels:
            labels = self._check_labels(field, name, goal, samples)
        elif goal is not None:
            self._check_targets(field, name, goal, samples)
        if labels is not None and in_training is not None:
            distinct = frozenset(np.unique(labels[in_training]).tolist())
        has_validation = parts is not None and bool((parts == VALIDATION).any())
        self.training_set = TrainingSet(count or None, distinct, has_validation)

    def _add(self, code: str, field: str, message: str, **details: Any) -> None:
        self.problems.append(Problem(code, ("data", field), message, **details))

    def _read(self, field: str, read: Callable[[], Result]) -> Result | None:
        """Returns the result of ``read``; ``None``, and adds a problem, if it fails."""
        try:
            return read()
        except ArrayFileError as error:
            code = "ND324" if isinstance(error, UnpackedSizeError) else "ND309"
            self._add(code, field, f"{self.files[field]} {error}")
        return None

    def _header(self, field: str, name: str, kinds: str) -> ArrayHeader | None:
        """Returns the header of an array of a kind in ``kinds``, else ``None`` and a problem."""
        names = self.source.names
        if name not in names:
            listed = allowed_note(sorted(names)).replace("allowed", "its arrays")
            hint = hints.for_missing(self.data, names, field, name)
            is_new = all(hint != problem.hint for problem in self.problems)
            if is_new or not hint.startswith(hints.JOIN):
                notes = (listed if names else "it has no arrays",)
                message = f"{self.files[field]} has no array {quote_name(name)}"
                self._add("ND310", field, message, hint=hint, notes=notes)
            return None
        header = self._read(field, lambda: self.source.header(name))
        if header is None:
            return None
        kind, subject = header.dtype.kind, f"the array {quote_name(name)} of {self.files[field]}"
        if header.dtype.hasobject:
            message = f"{subject} contains pickled Python objects, which netdesc never loads"
            self._add("ND311", field, message, hint="save it as an array of numbers")
            return None
        size = header.dtype.itemsize
        if kind in kinds and header.holds_numbers:
            return header
        expected = " or ".join(dict.fromkeys(hints.KIND_NAMES[kind] for kind in kinds))
        width = f" of {size} bytes" if kind in kinds else ""
        actual = hints.KIND_NAMES.get(kind, str(header.dtype)) + width
        hint = hints.SPLIT_VALUES if field == "split" else ""
        if field == "labels":
            are_floats = kind == "f" and header.holds_numbers
            values = self._values(field, name, header) if are_floats else None
            hint = hints.for_conversion(name, header, self.spec.classes, values)
        self._add("ND312", field, f"{subject} contains {actual}; expected: {expected}", hint=hint)
        return None

    def _values(self, field: str, name: str, header: ArrayHeader) -> NDArray | None:
        """Returns an array to be checked, and keeps it. Returns ``None`` if it is too large,
        damaged (with ND309), or checked already."""
        if header.bytes > self.max_bytes:
            self.unchecked.append(
                f"the values of the array {quote_name(name)} of {self.files[field]} were not "
                f"checked: it has more than {int(self.max_bytes) >> 20:,} MiB"
            )
            return None
        values = self._read(field, lambda: self.source.read(name))
        if values is not None:
            self.arrays[field] = values
            if self.are_checked and field != "split" and self.source.is_mapped(name):
                return None
        return values

    def _has_other_order(self, inputs: ArrayHeader, goal: ArrayHeader | None) -> bool:
        spec, samples = self.spec, goal.shape[0] if goal is not None and goal.shape else 0
        hint = hints.for_order(self.data, spec.input_shape, spec.steps, inputs.shape, samples)
        if hint:
            self._add_wrong_shape(inputs, hint)
        return bool(hint)

    def _add_wrong_shape(self, inputs: ArrayHeader, hint: str) -> None:
        expected = ", ".join(map(str, (*self.data.encoding.file_axes, *self.spec.input_shape)))
        message = f"the array {quote_name(self.data.inputs)} has the shape {list(inputs.shape)}; "
        self._add("ND313", "inputs", f"{message}expected: [{expected}]", hint=hint, about="input")

    def _check_inputs(self, header: ArrayHeader) -> None:
        data, steps, shape, actual = self.data, self.spec.steps, self.spec.input_shape, header.shape
        encoding, name = data.encoding, data.inputs
        has_steps = len(actual) == len(shape) + 2 and actual[2:] == shape
        needs_steps = "steps" in encoding.file_axes
        subject = f"the array {quote_name(name)}"
        values_location = (RelatedPath(("data", "inputs"), "these values"),)
        if needs_steps and actual[1:] == shape:
            message = f'{subject} has one value per input, and "{encoding.type}" takes one per step'
            hint = 'add "encoding": {"type": "rate"}, or "constant" before a "neurons" layer'
            hint = '"constant" repeats a value in every step' if encoding.is_real else hint
            self._add("ND314", "encoding", message, hint=hint, related=values_location)
        elif not needs_steps and has_steps and 1 < actual[1] <= steps:
            message = f'{subject} has one value per step, and "{encoding.type}" takes one per input'
            hint = "spikes need no encoding"
            hint = '"series" takes values of steps' if encoding.is_real else hint
            self._add("ND314", "encoding", message, hint=hint, related=values_location)
        elif not (has_steps if needs_steps else actual[1:] == shape):
            self._add_wrong_shape(header, hints.for_reshape(data, shape, actual))
        elif needs_steps and not 1 <= actual[1] <= steps:
            message = f"{subject} has {actual[1]} steps; time.steps is {steps}"
            related = (RelatedPath(("time", "steps"), "the length of a sample"),)
            every = f'"steps": {actual[1]} takes all, ' if actual[1] <= MAX_STEPS else ""
            hint = f"{every}{name}[:, :{steps}] takes the first" if actual[1] else ""
            self._add("ND313", "inputs", message, hint=hint, related=related)
        elif actual[0]:
            file_steps = actual[1] if needs_steps else 0
            self.code = build_code(data, steps, file_steps, math.prod(shape))
            if 0 < file_steps < steps:
                message = f"{subject} has {file_steps} steps; the last {steps - file_steps} of "
                message += f"time.steps, {steps}, have no input"
                self._add("ND331", "inputs", message, severity="warning")

    def _check_input_values(self, header: ArrayHeader, code: Code) -> None:
        name, lowest, largest, beyond = self.data.inputs, math.inf, -math.inf, ""
        values = self._values("inputs", name, header)
        if values is None:
            return
        for start, chunk in chunks(values):
            accepted = code.accepts(chunk)
            if not accepted.all():
                self._add_wrong_value(chunk, accepted, start, code, len(chunk) == len(values))
                return
            lowest, largest = min(lowest, float(chunk.min())), max(largest, float(chunk.max()))
            if self.spec.limits is not None and self.data.encoding.is_real and not beyond:
                beyond = self.spec.beyond_limits(code.compress(chunk))
        for text in filter(None, (code.warning(lowest, largest), beyond)):
            self._add("ND331", "inputs", f"the array {quote_name(name)} {text}", severity="warning")

    def _add_wrong_value(
        self, chunk: NDArray, accepted: NDArray[np.bool_], start: int, code: Code, is_whole: bool
    ) -> None:
        name, field, hint = self.data.inputs, code.field, code.hint
        place, value, count = _first_wrong(name, ~accepted, chunk, start)
        notes = f"{count} of {'' if is_whole else 'the first '}{chunk.size} values are wrong"
        low, high = chunk.min(), chunk.max()
        if np.isfinite([low, high]).all():
            notes += f"; {'the' if is_whole else 'these'} values go from {low:g} to {high:g}"
            if field == "range" and is_whole:
                hint = f'"range": [{low}, {high}] holds all values'
            if code.code == "ND321" and np.isin(chunk, (0, high)).all():
                hint = f"if {value:g} is a spike, save {name} > 0"
        if np.isnan(value):
            field, hint = "inputs", f"numpy.nan_to_num({name}) writes 0 for it"
        message = f"{place} is {value:g}, not {code.values}"
        self._add(code.code, field, message, hint=hint, notes=(notes,))

    def _check_split(self, header: ArrayHeader | None, samples: int) -> NDArray | None:
        """Checks the array ``split``. Returns its values; ``None`` if it is invalid or large. Warns
        if the file has such an array and the document does not say whether it is used."""
        name = self.data.split
        unused = {*self.source.names} - {*self.data.array_names.values()}
        if "split" in unused and "split" not in self.data.model_fields_set:
            message = f'{self.files["split"]} has an array "split", which the document does not use'
            message += f", so all {samples} samples are for training"
            hint = 'add "split": "split", or "split": null if all are for training'
            self._add("ND325", "split", message, severity="warning", hint=hint)
        if header is None or name is None:
            return None
        subject = f"the array {quote_name(name)}"
        if header.shape != (samples,):
            message = f"{subject} has the shape {list(header.shape)}; expected: [{samples}]"
            self._add("ND318", "split", message)
            return None
        values = self._values("split", name, header)
        if values is None:
            return None
        is_wrong = (values < TRAIN) | (values > TEST)
        if is_wrong.any():
            place, value, _ = _first_wrong(name, is_wrong, values)
            self._add("ND318", "split", f"{place} is {value}", notes=(hints.SPLIT_VALUES,))
            return None
        if samples and values.all():
            message = f"{subject} leaves none of {samples} samples to train on"
            self._add("ND317", "split", message, hint="0 is for training")
        elif samples and not values.any():
            message = f"{subject} marks all {samples} samples for training"
            self._add("ND319", "split", message, severity="warning", hint="write null")
        return values

    def _check_labels(
        self, field: str, name: str, header: ArrayHeader, samples: int
    ) -> NDArray | None:
        """Returns the labels; ``None`` if they are invalid, or the array is too large."""
        spec, subject = self.spec, f"the array {quote_name(name)}"
        classes, steps = spec.classes, spec.output_steps
        assert classes is not None, "the loss learns from labels"
        if header.shape not in ((samples,), (samples, steps)):
            expected = f"[{samples}], or [{samples}, {steps}] with one label per step"
            message = f"{subject} has the shape {list(header.shape)}; expected: {expected}"
            hint = hints.for_conversion(name, header, classes, None)
            self._add("ND315", field, message, hint=hint)
            return None
        if len(header.shape) == 2 and (not spec.labels_by_step or spec.classifies_samples):
            message = f"{subject} has one label per step, which only losses of each step use"
            hint = 'write "over": "each_step" in the loss, or add "window_steps" to it'
            hint = "remove the classifier" if spec.labels_by_step else hint
            if header.shape[1] == classes:
                hint += f"; for one column per class, {name}.argmax(axis=1) gives the labels"
            self._add("ND315", field, message, hint=hint)
            return None
        values = self._values(field, name, header)
        if values is None:
            return None
        is_wrong = (values < 0) | (values >= classes)
        if is_wrong.any():
            place, value, count = _first_wrong(name, is_wrong, values)
            outputs = f"{classes} outputs: 0 to {classes - 1}" if classes > 1 else "1 output: 0"
            message = f"{place} is {value}; the network has {outputs}"
            notes = (f"{count} of {values.size} labels name no output",)
            hint = hints.for_class(name, values, classes)
            self._add("ND316", field, message, hint=hint, notes=notes, about="output")
            return None
        return values

    def _check_targets(self, field: str, name: str, header: ArrayHeader, samples: int) -> None:
        """Checks what the output should be: values, spikes, or labels that are 0 or 1."""
        spec = self.spec
        are_spikes = spec.learns_from == "target spikes"
        steps, subject = spec.output_steps if spec.takes_steps else None, quote_name(name)
        shape = spec.output_shape
        problem = hints.target_shape_problem(header.shape, samples, steps, shape, are_spikes)
        if problem is not None:
            message, hint = problem
            self._add("ND326", field, f"the array {subject} {message}", hint=hint, about="output")
            return
        values = self._values(field, name, header)
        if values is None:
            return
        for start, chunk in chunks(values):
            with np.errstate(over="ignore"):
                numbers = chunk.astype(np.float32)
            is_wrong, expected = ~np.isfinite(numbers), "a number of 32 bits"
            if spec.learns_from == "multi-hot labels":
                is_wrong, expected = (numbers != 0) & (numbers != 1), "0 or 1"
            elif are_spikes:
                is_wrong |= (numbers < 0) | (numbers != np.rint(numbers))
                expected = "a number of spikes"
            if is_wrong.any():
                place, value, count = _first_wrong(name, is_wrong, chunk, start)
                notes = (f"{count} of {chunk.size} values are wrong",)
                self._add("ND326", field, f"{place} is {value:g}, not {expected}", notes=notes)
                return
            has_spike = numbers.reshape(len(chunk), -1).any(1)
            if are_spikes and not has_spike.all():
                message = f"{name}[{start + int(has_spike.argmin())}] has no spike to learn"
                self._add("ND326", field, message)
                return

    def _check_autoencoder(self) -> None:
        """Checks that the output can be compared with the inputs, step by step."""
        spec, message, hint = self.spec, "", ""
        if spec.output_shape != spec.input_shape:
            message = f"the output has the shape {list(spec.output_shape)}, and the input "
            message += f"{list(spec.input_shape)}; those of an autoencoder are equal"
        elif spec.output_steps != spec.steps:
            message = f"the output has {spec.output_steps} steps, and the input {spec.steps}"
        elif not spec.takes_steps or spec.learns_from == "labels":
            hint = 'write "over": "each_step" in the loss'
            message = "the inputs of each step are compared with one value of the output"
        if message:
            self._add("ND326", "targets", message, hint=hint, about="output")

    def _has_memory(self, header: ArrayHeader, code: Code, batch: int, free: int) -> bool:
        """Whether ``free`` bytes are enough to read the array of inputs and to encode it."""
        name, spec = self.data.inputs, self.spec
        is_mapped = self._read("inputs", lambda: self.source.is_mapped(name))
        if is_mapped is None:
            return False
        needs = {"a batch": 4 * spec.steps * batch * math.prod(spec.input_shape)}
        if not is_mapped:
            needs["the array in the file"] = header.bytes
            needs["its encoded form"] = int(math.prod(header.shape) * code.value_bytes)
        shortage = find_shortage(f"the array {quote_name(name)}", needs, free, batch)
        if shortage is not None:
            message, hint = shortage
            self._add("ND324", "inputs", message, hint=hint)
        return shortage is None


def chunks(values: NDArray) -> Iterator[tuple[int, NDArray]]:
    """Yields parts of an array of samples, each with the number of its first sample."""
    size = max(1, _CHUNK_VALUES // max(1, math.prod(values.shape[1:])))
    for start in range(0, len(values), size):
        yield start, values[start : start + size]


def _first_wrong(
    name: str, is_wrong: NDArray[np.bool_], values: NDArray, start: int = 0
) -> tuple[str, Any, int]:
    """Returns the place of the first wrong value, this value, and the number of wrong values.

    The place is a text such as ``inputs[0, 3]``. The first sample of ``values`` has the number
    ``start``.
    """
    index = np.unravel_index(is_wrong.argmax(), is_wrong.shape)
    first, *others = (int(each) for each in index)
    place = ", ".join(map(str, (start + first, *others)))
    return f"{name}[{place}]", values[index], int(is_wrong.sum())
