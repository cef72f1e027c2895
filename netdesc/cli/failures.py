"""How a command ends when it fails: one clear message and a documented exit code."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
import traceback
from contextlib import AbstractContextManager
from types import TracebackType

import click

from netdesc import __version__
from netdesc.cli import diagnostics_text as findings
from netdesc.cli.exit_codes import AT_FAULT, BUG, ENVIRONMENT, INTERRUPTED, USAGE
from netdesc.cli.output import Output

USER_ERRORS = {
    "netdesc.events": "EventFileError",
    "netdesc.exchange": "NetFileError",
}
"""Errors of the rooms that tell the user what to mend; so are those that carry an ``exit_code`` or
``diagnostics``.

A room that was never imported cannot have raised, so none is imported to find out."""


class Failures(AbstractContextManager["Failures"]):
    """Turns whatever ends the ``with`` block into a message and a ``SystemExit``."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None or isinstance(error, SystemExit | GeneratorExit):
            return False
        if isinstance(error, click.ClickException):
            _explained(error).show()
            raise SystemExit(error.exit_code) from None
        code, message = describe(error)
        if code == BUG:
            message = report_bug(error)
        with contextlib.suppress(OSError):  # the disk may be full, which was the failure
            self.output.complain(message)
            if self.output.as_json:
                self.output.give({"status": "failed", "exit_code": code, **details(error, message)})
        self.output.give_up()
        raise SystemExit(code) from None


_USUAL = {"training": {"optimizer": {"type": "adam"}, "schedule": {"type": "step"}}}
"""What decides which fields a document has where nothing is known of it."""


def _explained(error: click.ClickException) -> click.ClickException:
    """Says how a field of the document is set, where somebody took it for an option."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error
    if not any("--set" in parameter.opts for parameter in error.ctx.command.params):
        return error
    from netdesc.description.overrides import find_keys

    keys = find_keys(error.option_name.lstrip("-").replace("-", "_"), _USUAL)
    if not keys:
        return error
    ways = " or ".join(f"--set {key}=…" for key in keys)
    message = f"No such option '{error.option_name}'. It is a field of the document: {ways}"
    return click.UsageError(message, error.ctx)


def describe(error: BaseException) -> tuple[int, str]:
    """The exit code and the message for ``error``; a bug has no message yet."""
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        return INTERRUPTED, "interrupted"
    own_code = getattr(error, "exit_code", None)
    if isinstance(own_code, int):
        return own_code, f"error: {error}"
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics is not None:
        return findings.exit_code(diagnostics), findings.text(diagnostics, sys.stderr)
    for module, name in USER_ERRORS.items():
        known = getattr(sys.modules.get(module), name, None)
        if known is not None and isinstance(error, known):
            return ENVIRONMENT if _is_missing(error) else AT_FAULT, f"error: {error}"
    if isinstance(error, MemoryError):
        return ENVIRONMENT, "error: not enough memory"
    if isinstance(error, FileExistsError):
        return USAGE, f"error: {error.filename} exists, and netdesc does not overwrite it"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return ENVIRONMENT, f"error: {where}{error.strerror or error}"
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("netdesc"):
        package = (error.name or "").partition(".")[0]
        return ENVIRONMENT, f"error: the Python package {package} is missing: pip install {package}"
    if _follows_an_interrupt(error):
        return INTERRUPTED, "interrupted"
    return BUG, ""


def _follows_an_interrupt(error: BaseException) -> bool:
    """Whether an interrupt came first: it may leave a library half loaded, which then fails."""
    before, seen = error.__context__, set[int]()
    while before is not None and id(before) not in seen:
        if isinstance(before, KeyboardInterrupt):
            return True
        seen.add(id(before))
        before = before.__context__
    return False


def _is_missing(error: BaseException) -> bool:
    """Whether the system refused the file, so that nothing is known about what is in it."""
    cause = error.__cause__ or error.__context__
    return isinstance(cause, OSError) and cause.errno is not None


def details(error: BaseException, message: str) -> dict[str, object]:
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics is not None:
        files = len({finding.file for finding in diagnostics})
        return findings.record(diagnostics, files)
    return {"message": message.removeprefix("error: ")}


def report_bug(error: BaseException) -> str:
    """Save what is needed to find a bug into a file of the temporary folder; say where it is."""
    report = "\n".join(
        [
            f"netdesc {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"command: {' '.join(sys.argv)}",
            f"folder: {os.getcwd()}",
            "",
            *traceback.format_exception(error),
        ]
    )
    summary = f"error: netdesc has a bug: {type(error).__name__}: {error}"
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="netdesc-report-",
            suffix=".txt",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",  # names of files may have bytes that are no text
        ) as file:
            file.write(report)
    except OSError:
        return f"{summary}\n{report}"
    return f"{summary}\nPlease file an issue with this report: {file.name}"
