"""What readers of data share: the document, what samples must match, and the problems so far."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from netdesc.data.samples import SampleSpec
from netdesc.description import Description, Document
from netdesc.description.diagnostics.diagnostic import Diagnostic, Severity
from netdesc.description.json.tree import Parts
from netdesc.description.shapes import INPUT, output_locations, shape_locations, trace_shape, wire
from netdesc.description.source_map import On, RelatedPath


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic at a path of the document."""

    code: str
    parts: Parts
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    severity: Severity = "error"
    on: On = "value"
    related: tuple[RelatedPath, ...] = ()
    about: Literal["input", "output"] | None = None
    """The shape with which the data are compared; the diagnostic shows where it comes from."""

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    @property
    def text(self) -> str:
        """The problem in one line, for data that no document names."""
        return "; ".join(filter(None, (self.message, self.hint)))


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Number and labels of the training samples, before ``validation_split`` sets some aside.

    A field is ``None`` if it is unknown, because the file is invalid or too large to be read.
    """

    samples: int | None = None
    labels: frozenset[int] | None = None
    has_validation: bool = False
    """Whether the data hold samples for validation."""


@dataclass(slots=True)
class DataContext:
    """The document whose data are read, and what the readers find out about it."""

    description: Description
    spec: SampleSpec
    for_training: bool = False
    """Whether the samples are needed, and not only the problems. All values are then checked."""
    are_checked: bool = False
    """Whether values of mapped files were checked before (see ``FileChecks``)."""
    problems: list[Problem] = field(default_factory=list[Problem])
    training_set: TrainingSet = TrainingSet()

    @property
    def document(self) -> Document:
        return self.description.document

    @property
    def has_error(self) -> bool:
        return any(problem.is_error for problem in self.problems)

    def add(self, code: str, parts: Parts, message: str, **details: Any) -> None:
        """Adds a problem. ``details`` are the further fields of ``Problem``."""
        self.problems.append(Problem(code, parts, message, **details))


def diagnostics(description: Description, problems: Iterable[Problem]) -> Iterator[Diagnostic]:
    """Yields the problems as diagnostics, each with its place in the text of the document."""
    document, source_map = description.document, description.source_map
    for problem in problems:
        related, notes = problem.related, problem.notes
        if problem.about == "input":
            related = (*related, *shape_locations(document, INPUT))
        elif problem.about == "output":
            related = (*related, *output_locations(document))
            trace = trace_shape(document, wire(document), len(document.layers) - 1)
            notes = (*notes, f"shapes: {trace}")
        yield source_map.diagnostic(
            problem.code,
            problem.parts,
            problem.message,
            hint=problem.hint,
            notes=notes,
            severity=problem.severity,
            on=problem.on,
            related=related,
        )
