"""Reads arrays as training does, without a document around them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from netdesc.data.array_checks import ArrayChecks
from netdesc.data.array_files import open_arrays
from netdesc.data.array_samples import ArraySamples, build_parts
from netdesc.data.samples import SampleSpec
from netdesc.description.models import Arrays


def check_arrays(
    path: Path,
    spec: SampleSpec,
    batch_size: int | None = None,
    free: int | None = None,
    **data: Any,
) -> ArrayChecks:
    section = Arrays.model_validate({"type": "arrays", "path": path.name, **data})
    with open_arrays(path) as source:
        checks = ArrayChecks(section, spec, source, path.name)
        checks.run(batch_size, free)
    return checks


def read_arrays(
    path: Path, spec: SampleSpec, warn: Callable[[str], None] = lambda text: None, **data: Any
) -> dict[str, ArraySamples]:
    """Returns the samples of each part. ValueError with the first problem that is an error."""
    checks = check_arrays(path, spec, **data)
    for problem in checks.problems:
        if problem.is_error:
            raise ValueError(f"{problem.code} {problem.text}")
        warn(problem.text)
    return build_parts(checks)
