"""Turns the error of a command into one clear message and a documented exit code."""

import contextlib
import os
import platform
import sys
import tempfile
import traceback
from typing import Any, NoReturn

import click

from netdesc import __version__
from netdesc.cli import BUG, ENVIRONMENT, INTERRUPTED, USAGE, diagnostics_text
from netdesc.cli.output import Output, escape
from netdesc.stop_signals import Stopped


def exit_with(output: Output, error: BaseException) -> NoReturn:
    """Prints one message for the error that ended a command, and exits with its code.

    Of the processes that train together, the one that failed first prints.
    """
    if getattr(error, "is_told", False):
        raise SystemExit(describe(error)[0]) from None
    output.silent = False
    if isinstance(error, click.ClickException):
        _escaped(_explain_option(error)).show()
        raise SystemExit(error.exit_code) from None
    code, message = describe(error)
    lines = report_bug(error) if code == BUG else [message]
    with contextlib.suppress(OSError):  # the failure may be a full disk
        output.error(*lines)
        if output.as_json:
            record: dict[str, Any] = {"message": "\n".join(lines).removeprefix("error: ")}
            diagnostics = getattr(error, "diagnostics", None)
            if diagnostics is not None:
                from netdesc.description import to_json

                record = to_json(diagnostics, len({diagnostic.file for diagnostic in diagnostics}))
            output.print_json({"status": "failed", "exit_code": code, **record})
    output.flush_after_failure()
    raise SystemExit(code) from None


_OTHER_OPTIONS = {
    **dict.fromkeys(("--gpu", "--gpus", "--cuda", "--use-gpu", "--use-cuda"), "--device cuda"),
    **dict.fromkeys(("--cpu", "--no-cuda", "--no-gpu"), "--device cpu"),
}
"""Maps options of other programs to netdesc's option, which some commands have."""

_TYPICAL_DOCUMENT = {"training": {"optimizer": {"type": "adam"}, "schedule": {"type": "step"}}}
"""Types decide the fields of a document. The user's own is not read here."""


def _explain_option(error: click.ClickException) -> click.ClickException:
    """Says what to write in place of an option of another program, or of a field of documents."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error
    known = {name for parameter in error.ctx.command.params for name in parameter.opts}
    instead, advice = _OTHER_OPTIONS.get(error.option_name, ""), ""
    if instead.partition(" ")[0] in known:
        advice = f"Did you mean {instead}?"
    elif "--set" in known:
        from netdesc.description.overrides import find_keys

        keys = find_keys(error.option_name.lstrip("-").replace("-", "_"), _TYPICAL_DOCUMENT)
        ways = " or ".join(f"--set {key}=…" for key in keys)
        advice = ways and f"It is a field of the document: {ways}"
    message = f"No such option '{error.option_name}'. {advice}"
    return click.UsageError(message, error.ctx) if advice else error


def _escaped(error: click.ClickException) -> click.ClickException:
    """Returns the error with the user's arguments escaped, which click prints as they are."""
    help_error = getattr(click.exceptions, "NoArgsIsHelpError", None)  # since click 8.2
    if help_error is not None and isinstance(error, help_error):
        return error  # its message is the help
    message = error.format_message()
    if isinstance(error, click.MissingParameter):  # click's own words, a line for each choice
        message = " ".join(message.split())
    return click.UsageError(escape(message), getattr(error, "ctx", None))


def describe(error: BaseException) -> tuple[int, str]:
    """Returns the exit code and the message for ``error``. The message is empty for a bug."""
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        return _describe_interrupt(error.__cause__ or error)  # click has caught the cause
    own_code = getattr(error, "exit_code", None)
    if isinstance(own_code, int):
        return own_code, f"error: {error}"
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics is not None:
        text = diagnostics_text.format_diagnostics(diagnostics, sys.stderr)
        return diagnostics_text.exit_code(diagnostics), text
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
    cause = error.__context__
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):  # that has interrupted an import, for example
            return _describe_interrupt(cause)
        cause = cause.__context__
    return BUG, ""


def _describe_interrupt(error: BaseException) -> tuple[int, str]:
    if isinstance(error, Stopped):
        return error.exit_code, str(error)
    return INTERRUPTED, "interrupted"


def report_bug(error: BaseException) -> list[str]:
    """Saves a bug report as a file in the temporary folder. Returns the lines for the user."""
    report = [
        f"netdesc {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {' '.join(sys.argv)}",
        f"folder: {os.getcwd()}",
        "",
        *"".join(traceback.format_exception(error)).splitlines(),
    ]
    summary = f"error: netdesc has a bug: {type(error).__name__}: {error}"
    try:
        descriptor, path = tempfile.mkstemp(".txt", "netdesc-report-")
        # File names may have bytes that are not text.
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(report))
    except OSError:
        return [summary, *report]
    return [summary, f"Please file an issue with this report: {path}"]
