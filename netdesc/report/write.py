"""Writes the report of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from netdesc.report.output import open_output
from netdesc.report.page import build_page, render
from netdesc.report.run import read_run
from netdesc.runs.folder import REPORT


def write_report(
    run: str | Path,
    target: str | Path | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> Path:
    """Writes the report of a run to ``target``, by default into the run's folder. Returns the path.

    The run may have any status. ``warn`` is called with each sentence about missing or damaged
    data; the top of the report has these sentences, too. Raises RunError if there is no such run, a
    required file is missing or damaged, or the report cannot be written.
    """
    run = Path(run)
    path = run / REPORT if target is None else Path(target)
    with np.errstate(all="ignore"):  # a run that diverged may contain infinite values
        page = build_page(read_run(run))
        text = render(page)
    with open_output(path, follow_links=target is not None) as file:
        file.write(text)
    for each in page.damage:
        warn(each)
    return path
