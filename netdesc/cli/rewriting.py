"""What ``format`` and ``migrate`` do with the texts that they made: write, print or name them."""

from __future__ import annotations

import io
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from netdesc.cli import findings
from netdesc.cli.codes import AT_FAULT, ENVIRONMENT
from netdesc.cli.diff_colour import colourise_diff
from netdesc.cli.mending import not_written
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.rewriting import Rewriting

Mode = Literal["write", "print", "check", "diff"]


def finish(output: Output, found: Sequence[Rewriting], mode: Mode) -> int:
    """Does it for all that is found, and returns the exit code.

    It is 1 where ``check`` or ``diff`` find something that would change.
    """
    from netdesc.rewriting import write

    failed: dict[str, OSError] = {}
    for each in found if mode == "write" else ():
        if each.is_change:
            try:
                write(Path(each.name), each.after or "")
            except OSError as problem:  # the other files are written all the same
                failed[each.name] = problem
    diagnostics = [finding for each in found for finding in each.findings]
    if output.as_json:
        output.give(_record(found, mode, failed) | findings.record(diagnostics, len(found)))
    else:
        if diagnostics:
            output.complain(findings.text(diagnostics, sys.stderr))
        _print(output, found, mode, failed)
    for problem in failed.values():
        output.complain(not_written(problem))
    if failed:
        return ENVIRONMENT
    would_change = mode in ("check", "diff") and any(each.is_change for each in found)
    return findings.exit_code(diagnostics) or (AT_FAULT if would_change else 0)


def _print(output: Output, found: Sequence[Rewriting], mode: Mode, failed: Collection[str]) -> None:
    from netdesc.description.wording import amount

    changed = [each for each in found if each.is_change and each.name not in failed]
    for each in found:
        if each.is_lock:
            output.note(f"{each.name} is the lock of a run, and stays as it is")
    if mode == "print":
        if isinstance(sys.stdout, io.TextIOWrapper):  # a document is UTF-8 wherever it goes
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        for each in found:
            if each.after is not None:
                output.say(each.after.removesuffix("\n"))
        return
    for each in changed:
        if mode == "diff":
            output.say("\n".join(colourise_diff(each.diff(), output.has_colour(sys.stdout))))
        elif mode == "check":
            output.say(each.name)
        else:
            output.note(f"wrote {each.name}")
    word = "changed" if mode == "write" else "would change"
    refused = sum(each.after is None for each in found)
    end = f", {refused} refused" if refused else ""
    output.note(f"{amount(len(found), 'file')}: {len(changed) or 'none'} {word}{end}")


def _record(found: Sequence[Rewriting], mode: Mode, failed: Collection[str]) -> dict[str, Any]:
    return {
        "changed": sum(each.is_change for each in found) - len(failed),
        "documents": [
            {
                "file": each.name,
                "status": "failed" if each.name in failed else _status(each, mode),
                **({"text": each.after} if mode == "print" else {}),
                **({"diff": each.diff()} if mode == "diff" and each.is_change else {}),
            }
            for each in found
        ],
    }


def _status(each: Rewriting, mode: Mode) -> str:
    if each.after is None:
        return "refused"
    if each.is_lock:
        return "lock"
    if not each.is_change:
        return "unchanged"
    return "changed" if mode == "write" else "would change"
