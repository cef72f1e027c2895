"""Checks that arrays fit the document (ND309 to ND321, ND324 to ND326).

Types and shapes are always checked, values only in arrays of at most ``MAX_CHECKED_BYTES``.
Training checks the other values when it reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.files.array_hints import (
    JOIN,
    SPLIT_VALUES,
    hint_for_class,
    hint_for_conversion,
    hint_for_missing,
)
from netdesc.description.files.array_memory import memory_problem
from netdesc.description.files.array_shapes import (
    hint_for_order,
    hint_for_reshape,
    target_shape_problem,
)
from netdesc.description.files.array_source import (
    ArrayFileError,
    ArraySource,
    array_values,
    quote_name,
)
from netdesc.description.files.array_values import (
    MAX_CHECKED_BYTES,
    find_input_problem,
    first_wrong_value,
)
from netdesc.description.files.file_context import FileContext
from netdesc.description.files.npy import KIND_NAMES, Header, join_shape
from netdesc.description.files.npz import CompressionRatioError
from netdesc.description.files.training_set import TEST, TRAIN, VALIDATION, TrainingSet
from netdesc.description.json.tree import Parts
from netdesc.description.models import Arrays, RateClassifier
from netdesc.description.models.arrays import LEARNT_FROM
from netdesc.description.models.document import MAX_STEPS
from netdesc.description.shapes import INPUT, output_locations, shape_locations
from netdesc.description.source_map import RelatedPath
from netdesc.description.spelling import allowed_note

Result = TypeVar("Result")


class ArrayChecks:
    """Checks arrays, as the section ``data`` describes them.

    ``files`` maps a field of ``data`` to its place in the document and to the name of the file that
    holds its array. Other fields are in the document's section ``data``, and their arrays in
    ``data.path``. ``run`` fills ``diagnostics`` and sets ``training_set``.
    """

    def __init__(
        self,
        context: FileContext,
        data: Arrays,
        source: ArraySource,
        files: Mapping[str, tuple[Parts, str]] | None = None,
    ) -> None:
        self.context, self.document = context, context.document
        self.data, self.source = data, source
        self.files = files or {}
        self.output_shape, self.output_steps = context.wiring.outputs[-1], context.wiring.steps[-1]
        self.classes = context.wiring.classes
        self.diagnostics: list[Diagnostic] = []
        self.training_set = TrainingSet()

    def run(self) -> None:
        data = self.data
        inputs = self._header("inputs", data.inputs, "biuf")
        labels = targets = split = None
        field, goal = data.goal
        if data.is_autoencoder:
            self._check_autoencoder()
        elif field != "labels":
            targets = self._header(field, goal, "biuf")
        elif self.document.main_loss.learns_from in ("labels", "target spikes"):  # else ND228
            labels = self._header(field, goal, "iu")
        if data.split is not None:
            split = self._header("split", data.split, "iu")
        if inputs is None or self._has_other_order(inputs, targets or labels):
            return  # other diagnostics would be consequences of the transposed axes
        self._check_inputs(inputs)
        axes = len(self.document.input.shape)
        if len(inputs.shape) not in (axes + 1, axes + 2):
            return  # the first axis may not be the axis of the samples
        samples = inputs.shape[0]
        parts = self._check_split(split, samples)
        if targets is not None:
            self._check_targets(field, goal, targets, samples)
        known = self._check_labels(labels, samples, parts) if labels is not None else None
        self._set_training_set(samples, parts, known)
        if not any(each.is_error for each in self.diagnostics):
            self._check_memory(self.training_set.samples or samples)

    def _add(self, code: str, field: str, message: str, **details: Any) -> None:
        """Adds a diagnostic at a field of ``data``. ``details`` are those of ``SourceMap``."""
        parts, _ = self._file(field)
        diagnostic = self.context.source_map.diagnostic(code, parts, message, **details)
        self.diagnostics.append(diagnostic)

    def _file(self, field: str) -> tuple[Parts, str]:
        """Returns the place of a field in the document, and the name of its array's file."""
        return self.files.get(field, (("data", field), self.data.path))

    @property
    def _values_location(self) -> tuple[RelatedPath, ...]:
        return (RelatedPath(self._file("inputs")[0], "these values"),)

    def _read(self, field: str, read: Callable[[], Result]) -> Result | None:
        """Returns the result of ``read``; ``None``, and adds a diagnostic, if it fails."""
        try:
            return read()
        except CompressionRatioError as problem:
            hint = "if the data is correct, save the file with numpy.savez"
            self._add("ND324", field, f"{self._file(field)[1]} {problem}", hint=hint)
        except ArrayFileError as problem:
            self._add("ND309", field, f"{self._file(field)[1]} {problem}")
        return None

    def _header(self, field: str, name: str, kinds: str) -> Header | None:
        """Returns the header of an array of a kind in ``kinds``, else ``None`` and a diagnostic."""
        if name not in self.source.names:
            note = allowed_note(sorted(self.source.names)).replace("allowed", "its arrays")
            notes = (note if self.source.names else "it has no arrays",)
            message = f"{self._file(field)[1]} has no array {quote_name(name)}"
            hint = hint_for_missing(self.data, self.source.names, field, name)
            if not hint.startswith(JOIN) or all(hint != each.hint for each in self.diagnostics):
                self._add("ND310", field, message, hint=hint, notes=notes)
            return None
        header = self._read(field, partial(self.source.header, name))
        if header is None or (header.kind in kinds and header.code is not None):
            return header
        subject = f"the array {quote_name(name)} of {self._file(field)[1]}"
        if header.kind == "O":
            message = f"{subject} contains pickled Python objects, which netdesc never loads"
            self._add("ND311", field, message, hint="save it as an array of numbers")
            return None
        expected = " or ".join(dict.fromkeys(KIND_NAMES[kind] for kind in kinds))
        actual = KIND_NAMES.get(header.kind, "records")
        if header.kind in kinds:
            actual += f" of {header.item_bytes} bytes"
        hint = SPLIT_VALUES if field == "split" else ""
        if field == "labels":
            hint = self._conversion_hint(name, header)
        self._add("ND312", field, f"{subject} contains {actual}; expected: {expected}", hint=hint)
        return None

    def _conversion_hint(self, name: str, header: Header) -> str:
        values = self._values("labels", name, header) if header.kind == "f" else None
        return hint_for_conversion(name, header, self.classes, values or ())

    def _values(self, field: str, name: str, header: Header) -> Sequence[float] | None:
        """Returns an array's values; ``None`` if it is too large, or damaged (with ND309)."""
        if self._is_too_large(name, header):
            return None
        return self._read(field, partial(array_values, self.source, name))

    def _is_too_large(self, name: str, header: Header) -> bool:
        """Whether an array exceeds ``MAX_CHECKED_BYTES``; then ``context.unchecked`` names it."""
        if header.bytes <= MAX_CHECKED_BYTES:
            return False
        self.context.unchecked.append(
            f"the values of the array {quote_name(name)} of {self.data.path} were not checked: it "
            f"has more than {MAX_CHECKED_BYTES >> 20:,} MiB"
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

    def _add_wrong_shape(self, inputs: Header, hint: str = "") -> None:
        axes = ", ".join(self.data.encoding.file_axes)
        expected = f"[{axes}, {join_shape(self.document.input.shape)}]"
        actual = f"[{join_shape(inputs.shape)}]"
        message = f"the array {quote_name(self.data.inputs)} has the shape {actual}; expected: "
        related = shape_locations(self.document, INPUT)
        self._add("ND313", "inputs", message + expected, hint=hint, related=related)

    def _check_inputs(self, header: Header) -> None:
        shape, steps = self.document.input.shape, self.document.time.steps
        encoding, actual = self.data.encoding, header.shape
        has_steps = len(actual) == len(shape) + 2 and actual[2:] == shape
        needs_steps = "steps" in encoding.file_axes
        subject = f"the array {quote_name(self.data.inputs)}"
        if needs_steps and actual[1:] == shape:
            message = f'{subject} has one value per input, and "{encoding.type}" takes one per step'
            hint = 'add "encoding": {"type": "rate"}, or "constant" before a "neurons" layer'
            hint = '"constant" repeats a value in every step' if encoding.is_real else hint
            self._add("ND314", "encoding", message, hint=hint, related=self._values_location)
        elif not needs_steps and has_steps and 1 < actual[1] <= steps:
            message = f'{subject} has one value per step, and "{encoding.type}" takes one per input'
            hint = (
                '"series" takes values of steps' if encoding.is_real else "spikes need no encoding"
            )
            self._add("ND314", "encoding", message, hint=hint, related=self._values_location)
        elif not (has_steps if needs_steps else actual[1:] == shape):
            self._add_wrong_shape(header, hint_for_reshape(self.data, shape, actual))
        elif needs_steps and not 1 <= actual[1] <= steps:
            message = f"{subject} has {actual[1]} steps; time.steps is {steps}"
            related = (RelatedPath(("time", "steps"), "the length of a sample"),)
            every = f'"steps": {actual[1]} takes all, ' if actual[1] <= MAX_STEPS else ""
            hint = f"{every}{self.data.inputs}[:, :{steps}] takes the first" if actual[1] else ""
            self._add("ND313", "inputs", message, hint=hint, related=related)
        elif not self._is_too_large(self.data.inputs, header):
            find = partial(find_input_problem, self.source, self.data, header)
            problem = self._read("inputs", find)
            if problem is not None:
                self._add(**problem._asdict())

    def _check_split(self, header: Header | None, samples: int) -> Sequence[float] | None:
        """Checks the array ``split``. Returns its values; ``None`` if it is invalid or large.

        Warns if the file has such an array and the document does not say whether it is used.
        """
        name = self.data.split
        unused = {*self.source.names} - {*self.data.array_names.values()}
        if "split" in unused and "split" not in self.data.model_fields_set:
            message = f'{self.data.path} has an array "split", which the document does not use, so '
            message += f"all {samples} samples are for training"
            hint = 'add "split": "split", or "split": null if all are for training'
            self._add("ND325", "split", message, severity="warning", hint=hint)
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
        known = {TRAIN, VALIDATION, TEST}
        if not known.issuperset(values):
            place, value, _ = first_wrong_value(
                name, header, values, lambda each: each not in known
            )
            self._add("ND318", "split", f"{place} is {value}", notes=(SPLIT_VALUES,))
            return None
        if values and TRAIN not in values:
            message = f"{subject} leaves none of {samples} samples to train on"
            self._add("ND317", "split", message, hint="0 is for training")
        elif values and not any(values):
            message = f"{subject} marks all {samples} samples for training"
            self._add("ND319", "split", message, severity="warning", hint="write null")
        return values

    def _check_labels(
        self, header: Header, samples: int, parts: Sequence[float] | None
    ) -> frozenset[int] | None:
        """Checks the labels and returns the distinct labels of the training samples.

        ``parts`` are the values of the array ``split``. The result is ``None`` if the labels are
        invalid, or unknown because an array is too large.
        """
        steps, name = self.output_steps, self.data.labels
        subject = f"the array {quote_name(name)}"
        if header.shape not in ((samples,), (samples, steps)):
            expected = f"[{samples}], or [{samples}, {steps}] with one label per step"
            message = f"{subject} has the shape [{join_shape(header.shape)}]; expected: {expected}"
            self._add("ND315", "labels", message, hint=self._conversion_hint(name, header))
            return None
        if len(header.shape) == 2 and (hint := self._missing_window()):
            message = f"{subject} has one label per step, which only losses of each step use"
            if header.shape[1] == self.classes:
                hint += f"; for one column per class, {name}.argmax(axis=1) gives the labels"
            self._add("ND315", "labels", message, hint=hint)
            return None
        values = self._values("labels", name, header)
        if not values or self.classes is None:
            return None
        classes, lowest, highest = self.classes, min(values), max(values)
        if lowest < 0 or highest >= classes:
            place, value, count = first_wrong_value(
                name, header, values, lambda each: not 0 <= each < classes
            )
            outputs = f"{classes} outputs: 0 to {classes - 1}" if classes > 1 else "1 output: 0"
            message = f"{place} is {value}; the network has {outputs}"
            notes = (f"{count} of {len(values)} labels name no output",)
            hint = hint_for_class(name, len(header.shape), values, classes)
            self._add_about_output("ND316", "labels", message, hint, notes)
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

    def _missing_window(self) -> str:
        """Returns the change that makes the document use labels per step; "" if it needs none."""
        loss, classifier = self.document.main_loss, self.document.classifier
        if loss.learns_from != "labels":
            return ""  # ND228: this loss uses no labels
        if not self.document.takes_step_targets:
            return 'write "over": "each_step" in the loss, or add "window_steps" to it'
        return "remove the classifier" if isinstance(classifier, RateClassifier) else ""

    def _add_about_output(
        self, code: str, field: str, message: str, hint: str = "", notes: tuple[str, ...] = ()
    ) -> None:
        notes = (*notes, f"shapes: {self.context.output_trace}")
        related = output_locations(self.document)
        self._add(code, field, message, hint=hint, notes=notes, related=related)

    def _check_targets(self, field: str, name: str, header: Header, samples: int) -> None:
        """Checks what the output should be: values, spikes, or labels that are 0 or 1."""
        document = self.document
        learns_from = document.main_loss.learns_from
        if self.output_shape is None or learns_from not in LEARNT_FROM[field]:
            return  # ND228 reports other losses
        are_spikes = learns_from == "target spikes"
        steps = self.output_steps if document.takes_step_targets else None
        problem = target_shape_problem(header.shape, samples, steps, self.output_shape, are_spikes)
        if problem is not None:
            message, hint = problem
            message = f"the array {quote_name(name)} {message}"
            self._add_about_output("ND326", field, message, hint)
            return
        values = self._values(field, name, header) or ()
        is_hot = field == "multi_hot"

        def is_wrong(value: float) -> bool:
            if is_hot:
                return value not in (0, 1)
            return not math.isfinite(value) or (are_spikes and (value < 0 or value % 1 != 0))

        if any(map(is_wrong, values)):
            place, value, count = first_wrong_value(name, header, values, is_wrong)
            noun = "no numbers of spikes" if are_spikes else "no numbers"
            problem = "neither 0 nor 1" if is_hot else noun
            notes = (f"{count} of {len(values)} values are {problem}",)
            self._add("ND326", field, f"{place} is {value:g}", notes=notes)

    def _check_autoencoder(self) -> None:
        """Checks that the output can be compared with the inputs, step by step."""
        document, shape = self.document, self.output_shape
        if shape is not None and shape != document.input.shape:
            message = f"the output has the shape [{join_shape(shape)}], and the input "
            message += f"[{join_shape(document.input.shape)}]; those of an autoencoder are equal"
            self._add_about_output("ND326", "targets", message)
        elif self.output_steps != document.time.steps:
            message = f"the output has {self.output_steps} steps, and the input "
            self._add_about_output("ND326", "targets", f"{message}{document.time.steps}")
        elif not document.takes_step_targets:
            hint = 'write "over": "each_step" in the loss'
            message = "the inputs of each step are compared with one value of the output"
            self._add_about_output("ND326", "targets", message, hint)

    def _check_memory(self, samples: int) -> None:
        """Adds ND324 if the inputs do not fit into memory. ``samples`` counts training samples."""
        batch = min(self.document.training.batch_size or samples, samples)
        steps = self.document.time.steps
        problem = self._read(
            "inputs", partial(memory_problem, self.source, self.data, steps, batch)
        )
        if problem is not None:
            message, hint = problem
            self._add("ND324", "inputs", message, hint=hint)

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
