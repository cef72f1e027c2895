"""Do the arrays of an .npz file fit the document (ND309 and on)?

Types and shapes are always compared. Values are, where an array is small; training looks at the
rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import BinaryIO

from netdesc.description.diagnostics.diagnostic import Diagnostic, Severity
from netdesc.description.files.array_guess import likeliest
from netdesc.description.files.array_memory import too_much
from netdesc.description.files.npy import Header
from netdesc.description.files.npz import Npz, NpzError, TightError, quoted
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.models import (
    Arrays,
    Document,
    RateClassifier,
    SpikesEncoding,
    SpikeTime,
)
from netdesc.description.shape_trace import output_locations, shape_locations
from netdesc.description.shapes import INPUT, Shape
from netdesc.description.source_map import RelatedPath, SourceMap
from netdesc.description.spelling import allowed_note, did_you_mean

QUICK_BYTES = 4 << 20
"""Arrays up to this size, unpacked, are checked value by value."""
TRAIN, VALIDATION, TEST = 0, 1, 2
"""What the entries of a split mean."""

SPLIT_VALUES = "0 is for training, 1 for validation, 2 for testing"

_INPUTS = (RelatedPath(("data", "inputs"), "these values"),)

_KINDS = {
    "b": "true and false",
    "i": "integers",
    "u": "integers",
    "f": "floats",
    "c": "complex numbers",
    "S": "bytes",
    "U": "text",
    "M": "dates",
    "m": "times",
}


class ArrayChecks:
    """Checks the arrays to which ``document.data`` refers, of the file that it names.

    ``way`` tells how the shape of the output comes about.
    """

    def __init__(
        self,
        document: Document,
        data: Arrays,
        source_map: SourceMap,
        output_shape: Shape | None,
        way: str = "",
    ) -> None:
        self.document = document
        self.data = data
        self.source_map = source_map
        self.way = way
        self.classes = None if output_shape is None else math.prod(output_shape)
        self.found: list[Diagnostic] = []
        self.training_set = TrainingSet()

    def run(self, file: BinaryIO) -> list[Diagnostic]:
        """What is wrong with the arrays of the open file. ``training_set`` is known afterwards."""
        try:
            self.npz = Npz(file)
        except NpzError as problem:
            self._add("ND309", "path", f"{self.data.path} {problem}")
            return self.found
        inputs = self._header("inputs", self.data.inputs, "biuf")
        labels = self._header("labels", self.data.labels, "iu")
        split = None
        if self.data.split is not None:
            split = self._header("split", self.data.split, "iu")
        transposed = inputs is not None and self._is_transposed(inputs, labels)
        if transposed:  # all else would only follow from it
            return self.found
        if inputs is not None:
            self._inputs(inputs)
        axes = len(self.document.input.shape)
        # With another number of axes the first one may count anything.
        if inputs is not None and len(inputs.shape) in (axes + 1, axes + 2):
            samples = inputs.shape[0]
            part = self._split(split, samples)
            known = self._labels(labels, samples, part) if labels is not None else None
            self._training_set(samples, part, known)
            if not any(each.is_error for each in self.found):
                self._room(inputs, self.training_set.samples or samples)
        return self.found

    def _add(
        self,
        code: str,
        field: str,
        message: str,
        severity: Severity = "error",
        hint: str = "",
        notes: tuple[str, ...] = (),
        related: tuple[RelatedPath, ...] = (),
    ) -> None:
        parts = ("data", field)
        self.found.append(
            self.source_map.diagnostic(
                code, parts, message, hint=hint, notes=notes, severity=severity, related=related
            )
        )

    def _header(self, field: str, name: str, kinds: str) -> Header | None:
        """The header of an array that is there and holds numbers of a kind that will do."""
        if name not in self.npz.names:
            note = allowed_note(sorted(self.npz.names)).replace("allowed", "its arrays")
            notes = (note if self.npz.names else "it holds no arrays",)
            hint = did_you_mean(name, self.npz.names) or self._likeliest(field)
            message = f"{self.data.path} has no array {quoted(name)}"
            self._add("ND310", field, message, hint=hint, notes=notes)
            return None
        try:
            header = self.npz.header(name)
        except TightError as problem:
            hint = "if the data is sound, write the file with numpy.savez"
            self._add("ND324", field, f"{self.data.path} {problem}", hint=hint)
            return None
        except NpzError as problem:
            self._add("ND309", field, f"{self.data.path} {problem}")
            return None
        subject = f"the array {quoted(name)} of {self.data.path}"
        if header.kind == "O":
            message = f"{subject} holds pickled Python objects, which netdesc never loads"
            self._add("ND311", field, message, hint="save it as an array of numbers")
            return None
        if header.kind not in kinds or header.code is None:
            wanted = " or ".join(dict.fromkeys(_KINDS[kind] for kind in kinds))
            held = _KINDS.get(header.kind, "records")
            if header.kind in kinds:
                held += f" of {header.item_bytes} bytes"
            hint = SPLIT_VALUES if field == "split" else ""
            if field == "labels":
                hint = self._as_labels(name, header)
            self._add("ND312", field, f"{subject} holds {held}; wanted: {wanted}", hint=hint)
            return None
        return header

    def _as_labels(self, name: str, header: Header) -> str:
        """How an array becomes labels in numpy, or nothing."""
        if len(header.shape) == 2 and header.shape[1] == self.classes:
            return f"one column a class? {name}.argmax(axis=1) makes labels of it"
        return f"{name}.astype(int) makes labels of it" if header.kind in "fb" else ""

    def _likeliest(self, field: str) -> str:
        """What to write for an array that is not there, if the file has one that may be meant."""
        data = self.data
        given = {"inputs": data.inputs, "labels": data.labels, "split": data.split}
        taken = [name for other, name in given.items() if other != field and name is not None]
        best = likeliest(self.npz, field, taken, self.document.input.shape)
        return f'write "{field}": {quoted(best)}' if best is not None else ""

    def _values(self, field: str, name: str, header: Header) -> Sequence[float] | None:
        """The values of an array, where these are few enough for a quick look."""
        if header.size * header.item_bytes > QUICK_BYTES:
            return None
        try:
            return self.npz.values(name)
        except NpzError as problem:
            self._add("ND309", field, f"{self.data.path} {problem}")
            return None

    def _is_transposed(self, inputs: Header, labels: Header | None) -> bool:
        """Whether the axis of samples is the last one; told as one fault."""
        shape, given = self.document.input.shape, inputs.shape
        samples = labels.shape[0] if labels is not None and labels.shape else 0
        if given != (*shape, samples) or given[0] == samples:
            return False
        name = quoted(self.data.inputs)
        message = f"the array {name} has the shape [{_listed(given)}]; wanted: "
        message += f"[samples, {_listed(shape)}]"
        axes = ".T" if len(given) == 2 else ", moved by numpy.moveaxis(inputs, -1, 0)"
        hint = f"its {samples} samples come last: save {self.data.inputs}{axes}"
        self._add(
            "ND313", "inputs", message, hint=hint, related=shape_locations(self.document, INPUT)
        )
        return True

    def _inputs(self, header: Header) -> None:
        shape, steps = self.document.input.shape, self.document.time.steps
        given = header.shape
        in_steps = len(given) == len(shape) + 2 and given[2:] == shape
        encoding = self.data.encoding.type
        is_spikes = isinstance(self.data.encoding, SpikesEncoding)
        subject = f"the array {quoted(self.data.inputs)}"
        if is_spikes and given[1:] == shape:
            message = f"{subject} has one value for each input, which is to become spikes"
            hint = 'add "encoding": {"type": "rate"}'
            self._add("ND314", "encoding", message, hint=hint, related=_INPUTS)
        elif not is_spikes and in_steps and 1 < given[1] <= steps:
            message = f"{subject} has a value for each step, so that nothing is left to encode"
            hint = f'"{encoding}" takes [samples, {_listed(shape)}]'
            self._add("ND314", "encoding", message, hint=hint, related=_INPUTS)
        elif not (in_steps if is_spikes else given[1:] == shape):
            wanted = f"[samples, {'steps, ' if is_spikes else ''}{_listed(shape)}]"
            message = f"{subject} has the shape [{_listed(given)}]; wanted: {wanted}"
            has_channel = not is_spikes and in_steps and given[1] == 1
            hint = f'write "shape": [{_listed(given[1:])}] in input' if has_channel else ""
            self._add(
                "ND313", "inputs", message, hint=hint, related=shape_locations(self.document, INPUT)
            )
        elif is_spikes and not 1 <= given[1] <= steps:
            message = f"{subject} has {given[1]} steps; time.steps is {steps}"
            related = (RelatedPath(("time", "steps"), "so many steps"),)
            self._add("ND313", "inputs", message, related=related)
        else:
            values = self._values("inputs", self.data.inputs, header)
            if values:
                (self._spikes if is_spikes else self._range)(header, values)

    def _spikes(self, header: Header, values: Sequence[float]) -> None:
        if {0, 1}.issuperset(values):
            return
        place, value, count = _strays(
            self.data.inputs, header, values, lambda value: value not in (0, 1)
        )
        message = f"{place} is {value:g}; a spike is 1, and no spike is 0"
        notes = (f"{count} of {len(values)} values are neither",)
        self._add("ND321", "inputs", message, notes=notes)

    def _range(self, header: Header, values: Sequence[float]) -> None:
        low, high = (header.rounded(end) for end in self.data.range)
        least, most = min(values), max(values)
        # A sum is NaN where a value is; the least and the greatest may miss that.
        if low >= high or (low <= least and most <= high and not math.isnan(sum(values))):
            return
        place, value, count = _strays(
            self.data.inputs, header, values, lambda value: not low <= value <= high
        )
        ends = self.data.range
        message = f"{place} is {value:g}; data.range goes from {ends[0]:g} to {ends[1]:g}"
        notes = (f"{count} of {len(values)} values lie outside",)
        if math.isfinite(sum(values)):
            notes += (f"the values go from {least:g} to {most:g}",)
        self._add("ND320", "range", message, notes=notes)

    def _split(self, header: Header | None, samples: int) -> Sequence[float] | None:
        """The split, if it is sound and small."""
        name = self.data.split
        if header is None or name is None:
            return None
        subject = f"the array {quoted(name)}"
        if header.shape != (samples,):
            message = f"{subject} has the shape [{_listed(header.shape)}]; wanted: [{samples}]"
            self._add("ND318", "split", message)
            return None
        values = self._values("split", name, header)
        if values is None:
            return None
        if not {TRAIN, VALIDATION, TEST}.issuperset(values):
            place, value, _ = _strays(
                name, header, values, lambda value: not TRAIN <= value <= TEST
            )
            self._add("ND318", "split", f"{place} is {value}", notes=(SPLIT_VALUES,))
            return None
        if values and TRAIN not in values:
            message = f"{subject} leaves none of {samples} samples to train on"
            self._add("ND317", "split", message, hint="0 is for training")
        elif values and not any(values):
            message = f"{subject} sets none of {samples} samples aside"
            self._add("ND319", "split", message, "warning", hint="leave it out")
        return values

    def _labels(
        self, header: Header, samples: int, part: Sequence[float] | None
    ) -> frozenset[int] | None:
        """The classes of the training samples, if that can be told."""
        steps = self.document.time.steps
        subject = f"the array {quoted(self.data.labels)}"
        if header.shape not in ((samples,), (samples, steps)):
            wanted = f"[{samples}], or [{samples}, {steps}] with one label a step"
            message = f"{subject} has the shape [{_listed(header.shape)}]; wanted: {wanted}"
            self._add("ND315", "labels", message, hint=self._one_hot(header))
            return None
        if len(header.shape) == 2 and (hint := self._missing_window()):
            message = f"{subject} has one label a step, and only a moving window looks at steps"
            self._add("ND315", "labels", message, hint=hint)
            return None
        values = self._values("labels", self.data.labels, header)
        if not values or self.classes is None:
            return None
        classes = self.classes
        if min(values) < 0 or max(values) >= classes:
            place, value, count = _strays(
                self.data.labels, header, values, lambda value: not 0 <= value < classes
            )
            outputs = f"{classes} outputs: 0 to {classes - 1}" if classes > 1 else "1 output: 0"
            notes = (f"{count} of {len(values)} labels name no output", f"shapes: {self.way}")
            message = f"{place} is {value}; the network has {outputs}"
            related = output_locations(self.document)
            self._add("ND316", "labels", message, notes=notes, related=related)
            return None
        if self.data.split is None:
            return frozenset(map(int, values))
        if part is None:
            return None
        each = len(values) // samples
        return frozenset(
            int(value)
            for at, value in enumerate(values)
            if part[at % samples if header.fortran_order else at // each] == TRAIN
        )

    def _one_hot(self, header: Header) -> str:
        is_one_hot = len(header.shape) == 2 and header.shape[1] == self.classes
        return self._as_labels(self.data.labels, header) if is_one_hot else ""

    def _room(self, header: Header, samples: int) -> None:
        """Whether training can hold the inputs, of which ``samples`` are trained on."""
        training = self.document.training
        batch = min(training.batch_size or samples, samples)
        found = too_much(header, self.data, self.document.time.steps, batch)
        if found is not None:
            message, hint = found
            self._add("ND324", "inputs", message, hint=hint)

    def _missing_window(self) -> str:
        """What to change for labels of single steps to be of use, or nothing."""
        loss, classifier = self.document.loss, self.document.classifier
        if isinstance(loss, SpikeTime):
            return ""  # it has no use for labels at all, which is another fault
        if loss.window_steps is None:
            return 'give the loss "window_steps"'
        return "leave the classifier out" if isinstance(classifier, RateClassifier) else ""

    def _training_set(
        self, samples: int, part: Sequence[float] | None, labels: frozenset[int] | None
    ) -> None:
        count = samples if self.data.split is None else None
        if part is not None:
            count = sum(each == TRAIN for each in part)
        if samples == 0:
            message = f"the array {quoted(self.data.inputs)} holds no samples to train on"
            self._add("ND317", "inputs", message)
        # Where nothing is left, that was said, and more would only follow from it.
        self.training_set = TrainingSet(count or None, labels or None)


def _strays(
    name: str, header: Header, values: Sequence[float], is_bad: Callable[[float], bool]
) -> tuple[str, float, int]:
    """Place and value of the first bad value, and how many there are: one at least."""
    bad = [position for position, value in enumerate(values) if is_bad(value)]
    return f"{name}[{_listed(header.index(bad[0]))}]", values[bad[0]], len(bad)


def _listed(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))
