"""Checks the files that a document names (ND3xx), and the training set that they make."""

from __future__ import annotations

from netdesc.data.training_set import TrainingSet, check_training_set
from netdesc.description import Description
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.files.data_files import FileChecks
from netdesc.description.files.file_context import FileContext
from netdesc.description.files.training_set import listed_training_set
from netdesc.description.shapes import wire


def check_data(description: Description, is_valid: bool) -> list[Diagnostic]:
    """Returns the diagnostics of all files; ``is_valid`` says whether the document has no error."""
    document, source_map, lock = description.document, description.source_map, description.lock
    assert source_map is not None
    checksums = {file.path: file.sha256 or "" for file in lock.files} if lock is not None else {}
    wiring, listed = wire(document), listed_training_set(document)
    context = FileContext(document, source_map, description.resolve, wiring, listed)
    found = FileChecks(context, checksums).run()
    description.unchecked.extend(context.unchecked)
    known = context.training_set
    training_set = TrainingSet(known.samples, known.labels, bool(known.has_validation))
    problems = check_training_set(document, training_set, wiring.classes)
    return found + [problem.diagnostic(source_map) for problem in problems]
