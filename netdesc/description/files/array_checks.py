"""Checks that the arrays of an .npz file fit the document (ND309 to ND321, ND324 to ND326).

Types and shapes are always checked, values only in arrays of at most ``MAX_CHECKED_BYTES``
(inputs) or ``MAX_LIST_BYTES`` (labels and splits). Training checks the other values when it reads
them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import BinaryIO

from netdesc.description.diagnostics.diagnostic import Diagnostic, Severity
from netdesc.description.files.array_guess import guess_array
from netdesc.description.files.array_memory import memory_problem
from netdesc.description.files.array_order import hint_for_order
from netdesc.description.files.array_values import join_shape
from netdesc.description.files.input_values import find_input_problem
from netdesc.description.files.npy import KIND_NAMES, Header
from netdesc.description.files.npz import CompressionRatioError, Npz, NpzError, quote_name
from netdesc.description.files.target_shape import target_shape_problem
from netdesc.description.files.training_set import TEST, TRAIN, VALIDATION, TrainingSet
from netdesc.description.files.value_blocks import MAX_CHECKED_BYTES, Block
from netdesc.description.models import Arrays, Document, MeanSquaredError, RateClassifier
from netdesc.description.models.loss import window_steps
from netdesc.description.shape_trace import output_locations, shape_locations
from netdesc.description.shapes import INPUT, Shape
from netdesc.description.source_map import RelatedPath, SourceMap
from netdesc.description.spelling import allowed_note, did_you_mean

MAX_LIST_BYTES = 64 << 20
"""The values of larger arrays of labels or splits are not checked."""
SPLIT_VALUES = "0 is for training, 1 for validation, 2 for testing"

_INPUTS_LOCATION = (RelatedPath(("data", "inputs"), "these values"),)


class ArrayChecks:
    """Checks the arrays that the section ``data`` of the document names.

    ``output_shape`` is the shape of the network's output, None if it is unknown. ``shape_trace`` is
    a text that shows how this shape follows from the layers. ``run`` sets ``training_set`` and
    ``unchecked``, which names the arrays whose values are not checked because they are too large.
    """

    def __init__(
        self,
        document: Document,
        data: Arrays,
        source_map: SourceMap,
        output_shape: Shape | None,
        shape_trace: str = "",
    ) -> None:
        self.document = document
        self.data = data
        self.source_map = source_map
        self.shape_trace = shape_trace
        self.output_shape = output_shape
        self.classes = None if output_shape is None else math.prod(output_shape)
        self.diagnostics: list[Diagnostic] = []
        self.training_set = TrainingSet()
        self.unchecked: list[str] = []

    def run(self, file: BinaryIO) -> list[Diagnostic]:
        """Returns the diagnostics of the arrays in the open file, and sets ``training_set``."""
        try:
            self.npz = Npz(file)
        except NpzError as problem:
            self._add("ND309", "path", f"{self.data.path} {problem}")
            return self.diagnostics
        inputs = self._header("inputs", self.data.inputs, "biuf")
        is_valued, goal = self.data.targets is not None, self.data.targets or self.data.labels
        field, kinds = ("targets", "biuf") if is_valued else ("labels", "iu")
        labels = None
        if is_valued or self.document.loss.learns_from != "target values":  # ND228 reports others
            labels = self._header(field, goal, kinds)
        split = None
        if self.data.split is not None:
            split = self._header("split", self.data.split, "iu")
        if inputs is not None and self._has_other_order(inputs, labels):
            # All other diagnostics would be consequences of the transposed axes.
            return self.diagnostics
        if inputs is not None:
            self._check_inputs(inputs)
        axes = len(self.document.input.shape)
        # With another number of axes, the first axis may not be the axis of the samples.
        if inputs is not None and len(inputs.shape) in (axes + 1, axes + 2):
            samples = inputs.shape[0]
            parts = self._check_split(split, samples)
            known = None
            if labels is not None and is_valued:
                self._check_targets(goal, labels, samples)
            elif labels is not None:
                known = self._check_labels(labels, samples, parts)
            self._set_training_set(samples, parts, known)
            if not any(each.is_error for each in self.diagnostics):
                self._check_memory(inputs, self.training_set.samples or samples)
        return self.diagnostics

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
        self.diagnostics.append(
            self.source_map.diagnostic(
                code, parts, message, hint=hint, notes=notes, severity=severity, related=related
            )
        )

    def _header(self, field: str, name: str, kinds: str) -> Header | None:
        """Returns the header of the array ``name``, whose numpy kind must be in ``kinds``.

        Returns ``None`` and adds a diagnostic if the array is missing or has another type.
        """
        if name not in self.npz.names:
            note = allowed_note(sorted(self.npz.names)).replace("allowed", "its arrays")
            notes = (note if self.npz.names else "it has no arrays",)
            hint = did_you_mean(name, self.npz.names) or self._guess_hint(field)
            message = f"{self.data.path} has no array {quote_name(name)}"
            self._add("ND310", field, message, hint=hint, notes=notes)
            return None
        try:
            header = self.npz.header(name)
        except CompressionRatioError as problem:
            hint = "if the data is correct, save the file with numpy.savez"
            self._add("ND324", field, f"{self.data.path} {problem}", hint=hint)
            return None
        except NpzError as problem:
            self._add("ND309", field, f"{self.data.path} {problem}")
            return None
        subject = f"the array {quote_name(name)} of {self.data.path}"
        if header.kind == "O":
            message = f"{subject} contains pickled Python objects, which netdesc never loads"
            self._add("ND311", field, message, hint="save it as an array of numbers")
            return None
        if header.kind not in kinds or header.code is None:
            expected = " or ".join(dict.fromkeys(KIND_NAMES[kind] for kind in kinds))
            actual = KIND_NAMES.get(header.kind, "records")
            if header.kind in kinds:
                actual += f" of {header.item_bytes} bytes"
            hint = SPLIT_VALUES if field == "split" else ""
            if field == "labels":
                hint = self._conversion_hint(name, header)
            self._add(
                "ND312", field, f"{subject} contains {actual}; expected: {expected}", hint=hint
            )
            return None
        return header

    def _conversion_hint(self, name: str, header: Header) -> str:
        """Returns a hint with the numpy call that converts the array to labels; "" if unknown."""
        if len(header.shape) == 2 and header.shape[1] == self.classes:
            return f"for one column per class, {name}.argmax(axis=1) gives the labels"
        return f"{name}.astype(int) converts it" if header.kind in "fb" else ""

    def _guess_hint(self, field: str) -> str:
        """Returns a hint that names the array which ``field`` probably means, or ""."""
        names = self.data.array_names
        taken = [name for other, name in names.items() if other != field]
        best = guess_array(self.npz, field, taken, self.document.input.shape)
        return f'write "{field}": {quote_name(best)}' if best is not None else ""

    def _values(self, field: str, name: str, header: Header) -> Sequence[float] | None:
        """Returns an array's values; ``None`` if it exceeds ``MAX_LIST_BYTES`` or is damaged.

        A damaged array gets a diagnostic.
        """
        if self._is_too_large(name, header, MAX_LIST_BYTES):
            return None
        try:
            return self.npz.values(name)
        except NpzError as problem:
            self._add("ND309", field, f"{self.data.path} {problem}")
            return None

    def _is_too_large(self, name: str, header: Header, limit: int) -> bool:
        """Whether an array has more bytes than ``limit``; then ``unchecked`` names it."""
        if header.bytes <= limit:
            return False
        self.unchecked.append(
            f"the values of the array {quote_name(name)} of {self.data.path} were not checked: it "
            f"has more than {limit >> 20:,} MiB"
        )
        return True

    def _has_other_order(self, inputs: Header, labels: Header | None) -> bool:
        """Returns True and adds a diagnostic if the axes have the order of another tool."""
        shape, steps = self.document.input.shape, self.document.time.steps
        samples = labels.shape[0] if labels is not None and labels.shape else 0
        hint = hint_for_order(self.data, shape, steps, inputs.shape, samples)
        if hint:
            self._add_wrong_shape(inputs, hint)
        return bool(hint)

    def _add_wrong_shape(self, inputs: Header, hint: str) -> None:
        axes = ", ".join(self.data.encoding.file_axes)
        expected = f"[{axes}, {join_shape(self.document.input.shape)}]"
        message = (
            f"the array {quote_name(self.data.inputs)} has the shape [{join_shape(inputs.shape)}]"
        )
        message += f"; expected: {expected}"
        self._add(
            "ND313", "inputs", message, hint=hint, related=shape_locations(self.document, INPUT)
        )

    def _check_inputs(self, header: Header) -> None:
        shape, steps = self.document.input.shape, self.document.time.steps
        actual = header.shape
        has_steps = len(actual) == len(shape) + 2 and actual[2:] == shape
        encoding = self.data.encoding.type
        needs_steps = "steps" in self.data.encoding.file_axes
        subject = f"the array {quote_name(self.data.inputs)}"
        if needs_steps and actual[1:] == shape:
            message = f"{subject} has one value per input, so it needs an encoding"
            hint = 'add "encoding": {"type": "rate"}'
            if self.data.encoding.is_real:
                message = f'{subject} has one value per input, and "{encoding}" one per step'
                hint = '"constant" repeats a value in every step'
            self._add("ND314", "encoding", message, hint=hint, related=_INPUTS_LOCATION)
        elif not needs_steps and has_steps and 1 < actual[1] <= steps:
            message = f"{subject} has one value per step, so it needs no encoding"
            hint = f'"{encoding}" takes [samples, {join_shape(shape)}]'
            if self.data.encoding.is_real:
                message = f'{subject} has one value per step, and "{encoding}" one per sample'
                hint = '"series" takes values of steps'
            self._add("ND314", "encoding", message, hint=hint, related=_INPUTS_LOCATION)
        elif not (has_steps if needs_steps else actual[1:] == shape):
            has_channel = not needs_steps and has_steps and actual[1] == 1
            hint = f'write "shape": [{join_shape(actual[1:])}] in input' if has_channel else ""
            self._add_wrong_shape(header, hint)
        elif needs_steps and not 1 <= actual[1] <= steps:
            message = f"{subject} has {actual[1]} steps; time.steps is {steps}"
            related = (RelatedPath(("time", "steps"), "the length of a sample"),)
            self._add("ND313", "inputs", message, related=related)
        else:
            self._check_input_values(header)

    def _check_input_values(self, header: Header) -> None:
        if self._is_too_large(self.data.inputs, header, MAX_CHECKED_BYTES):
            return
        try:
            problem = find_input_problem(self.npz, self.data, header)
        except NpzError as damage:
            self._add("ND309", "inputs", f"{self.data.path} {damage}")
            return
        if problem is not None:
            self._add(*problem)

    def _check_split(self, header: Header | None, samples: int) -> Sequence[float] | None:
        """Checks the array ``split``. Returns its values; ``None`` if it is invalid or large.

        Warns if the file has such an array and the document does not say whether it is used.
        """
        name = self.data.split
        unused = {*self.npz.names} - {*self.data.array_names.values()}
        if "split" in unused and "split" not in self.data.model_fields_set:
            message = f'{self.data.path} has an array "split", which the document does not use, so '
            message += f"all {samples} samples are for training"
            hint = 'add "split": "split", or "split": null if all are for training'
            self._add("ND325", "split", message, "warning", hint=hint)
        if header is None or name is None:
            return None
        subject = f"the array {quote_name(name)}"
        if header.shape != (samples,):
            message = f"{subject} has the shape [{join_shape(header.shape)}]; expected: [{samples}]"
            self._add("ND318", "split", message)
            return None
        values = self._values("split", name, header)
        if values is None:
            return None
        if not {TRAIN, VALIDATION, TEST}.issuperset(values):
            place, value, _ = Block(header, values, 0).bad_values(
                name, lambda value: not TRAIN <= value <= TEST
            )
            self._add("ND318", "split", f"{place} is {value}", notes=(SPLIT_VALUES,))
            return None
        if values and TRAIN not in values:
            message = f"{subject} leaves none of {samples} samples to train on"
            self._add("ND317", "split", message, hint="0 is for training")
        elif values and not any(values):
            message = f"{subject} marks all {samples} samples for training"
            self._add("ND319", "split", message, "warning", hint="write null")
        return values

    def _check_labels(
        self, header: Header, samples: int, parts: Sequence[float] | None
    ) -> frozenset[int] | None:
        """Checks the labels and returns the distinct labels of the training samples.

        ``parts`` are the values of the array ``split``. The result is ``None`` if the labels are
        invalid, or unknown because an array is too large.
        """
        steps = self.document.time.steps
        subject = f"the array {quote_name(self.data.labels)}"
        if header.shape not in ((samples,), (samples, steps)):
            expected = f"[{samples}], or [{samples}, {steps}] with one label per step"
            message = f"{subject} has the shape [{join_shape(header.shape)}]; expected: {expected}"
            self._add("ND315", "labels", message, hint=self._one_hot(header))
            return None
        if len(header.shape) == 2 and (hint := self._missing_window()):
            message = f"{subject} has one label per step, which only a moving window uses"
            self._add("ND315", "labels", message, hint=hint)
            return None
        values = self._values("labels", self.data.labels, header)
        if not values or self.classes is None:
            return None
        classes = self.classes
        if min(values) < 0 or max(values) >= classes:
            place, value, count = Block(header, values, 0).bad_values(
                self.data.labels, lambda value: not 0 <= value < classes
            )
            outputs = f"{classes} outputs: 0 to {classes - 1}" if classes > 1 else "1 output: 0"
            notes = (
                f"{count} of {len(values)} labels name no output",
                f"shapes: {self.shape_trace}",
            )
            message = f"{place} is {value}; the network has {outputs}"
            related = output_locations(self.document)
            self._add("ND316", "labels", message, notes=notes, related=related)
            return None
        if self.data.split is None:
            return frozenset(map(int, values))
        if parts is None:
            return None
        each = len(values) // samples
        return frozenset(
            int(value)
            for at, value in enumerate(values)
            if parts[at % samples if header.fortran_order else at // each] == TRAIN
        )

    def _check_targets(self, name: str, header: Header, samples: int) -> None:
        """Checks the values that the output should have."""
        loss = self.document.loss
        if self.output_shape is None or not isinstance(loss, MeanSquaredError):
            return  # ND228 reports other losses
        steps = self.document.time.steps if loss.over == "each_step" else None
        problem = target_shape_problem(header.shape, samples, steps, self.output_shape)
        if problem is not None:
            message, hint = problem
            notes = (f"shapes: {self.shape_trace}",)
            related = output_locations(self.document)
            message = f"the array {quote_name(name)} {message}"
            self._add("ND326", "targets", message, hint=hint, notes=notes, related=related)
            return
        values = self._values("targets", name, header)
        if values and not math.isfinite(sum(values)):
            place, value, count = Block(header, values, 0).bad_values(
                name, lambda value: not math.isfinite(value)
            )
            notes = (f"{count} of {len(values)} values are no numbers",)
            self._add("ND326", "targets", f"{place} is {value:g}", notes=notes)

    def _one_hot(self, header: Header) -> str:
        is_one_hot = len(header.shape) == 2 and header.shape[1] == self.classes
        return self._conversion_hint(self.data.labels, header) if is_one_hot else ""

    def _check_memory(self, header: Header, samples: int) -> None:
        """Adds ND324 if the inputs do not fit into memory. ``samples`` counts training samples."""
        training = self.document.training
        batch = min(training.batch_size or samples, samples)
        problem = memory_problem(header, self.data, self.document.time.steps, batch)
        if problem is not None:
            message, hint = problem
            self._add("ND324", "inputs", message, hint=hint)

    def _missing_window(self) -> str:
        """Returns the change that makes the document use labels per step; "" if it needs none."""
        loss, classifier = self.document.loss, self.document.classifier
        if loss.learns_from != "labels":
            return ""  # ND228: this loss uses no labels
        if window_steps(loss) is None:
            return 'add "window_steps" to the loss'
        return "remove the classifier" if isinstance(classifier, RateClassifier) else ""

    def _set_training_set(
        self, samples: int, parts: Sequence[float] | None, labels: frozenset[int] | None
    ) -> None:
        count = samples if self.data.split is None else None
        if parts is not None:
            count = sum(each == TRAIN for each in parts)
        if samples == 0:
            message = f"the array {quote_name(self.data.inputs)} has no samples to train on"
            self._add("ND317", "inputs", message)
        # An empty set is stored as unknown, so that rules skip it: ND317 has reported it.
        has_validation = None if parts is None else VALIDATION in parts
        self.training_set = TrainingSet(count or None, labels or None, has_validation)
