"""``write_report``: from the folder of a run to its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from netdesc.events import atomic_path
from netdesc.events.atomic_write import NoFileError
from netdesc.report.errors import ReportError, UnwritableError
from netdesc.report.page import build_page, render
from netdesc.report.run import read_run
from netdesc.runs.files import REPORT


def write_report(
    run: str | Path,
    target: str | Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Path:
    """Writes the report of a run into its folder, or to ``target``, and returns where it is.

    Everything in it comes from the folder, whatever the run's standing is; ``tell`` is called with
    what the files lack or hold wrongly, which the report says first. ReportError where there is no
    such run, a file is damaged without which there is nothing to report, or the report cannot be
    written.
    """
    run = Path(run)
    path = run / REPORT if target is None else Path(target)
    with np.errstate(all="ignore"):  # a run that diverged may hold any number
        page = build_page(read_run(run))
        text = render(page)
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    except NoFileError as error:
        raise ReportError(f"{path}: {error}") from error
    except OSError as error:
        raise UnwritableError(f"cannot write {path}: {error.strerror or error}") from error
    for each in page.damage:
        tell(each)
    return path
