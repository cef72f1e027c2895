"""Completion of a command line by the shell: loaded only when a TAB asks for it.

click does most of it. Added are completions by what stands in a parameter's metavar, so that every
command has them, and scripts for the shells after which ``key=`` is typed on without a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from netdesc import suggestions
from netdesc.suggestions import Suggestion

Suggest = Callable[[click.Context, str], list[Suggestion]]


def _files(*suffixes: str) -> Suggest:
    return lambda _, typed: suggestions.files(typed, suffixes)


def _overrides(ctx: click.Context, typed: str) -> list[Suggestion]:
    return suggestions.overrides(typed, _document(ctx))


def _document(ctx: click.Context) -> Path | None:
    """The document among the arguments that stand on the command line already."""
    # Where an option still lacks its value, click has sorted none of the arguments yet.
    words = [*ctx.params.values(), *ctx.args]
    return next((Path(each) for each in words if str(each).endswith(".json")), None)


_SPIKES = _files(".bs1", ".bs2", ".npy")

BY_METAVAR: dict[str, Suggest] = {
    "RUN": lambda _, typed: suggestions.runs(typed),
    "FILE.json": _files(".json"),
    "FILE.net": _files(".net"),
    "INPUT": _SPIKES,
    "IN": _SPIKES,
    "OTHER": _SPIKES,
    "CODE": lambda _, typed: suggestions.codes(typed),
    "KEY=VALUE": _overrides,
}
"""A word of a metavar, such as ``RUN|FILE.json``, and what it can be."""


class _Suggested(click.ParamType):
    """Takes any text, and suggests what the words of a metavar stand for."""

    name = "suggested"

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = [each for word in self.words for each in BY_METAVAR[word](ctx, incomplete)]
        once = {each.text: each for each in reversed(found)}
        return [CompletionItem(each.text, help=each.about) for each in reversed(once.values())]


def equipped(command: click.Command) -> click.Command:
    """A copy of a command, and of those below it, whose parameters are completed by metavar."""
    new = copy(command)
    new.params = [_equipped(parameter) for parameter in command.params]
    if isinstance(new, click.Group):
        new.commands = {name: equipped(below) for name, below in new.commands.items()}
    return new


def _equipped(parameter: click.Parameter) -> click.Parameter:
    metavar = parameter.metavar or (parameter.name or "").upper()
    words = [word for word in re.split(r"[^\w.=]|\.\.\.", metavar) if word in BY_METAVAR]
    if not words or isinstance(parameter.type, click.Choice):
        return parameter
    new = copy(parameter)
    new.type = _Suggested(words)
    return new


# The shells


class _Asked(ShellComplete):
    """Ends quietly where the shell did not say what was typed: nobody reads a message here."""

    def get_completion_args(self) -> tuple[list[str], str]:
        try:
            return super().get_completion_args()
        except (KeyError, ValueError):
            raise SystemExit(1) from None


class _Bash(_Asked, BashComplete):
    """Bash hands ``key=value`` over as three words; what it replaces is the last of them."""

    source_template = """\
%(complete_func)s() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            dir,*) compopt -o dirnames ;;
            file,*) compopt -o default ;;
            ?*) COMPREPLY+=("$(printf '%%q' "${line#*,}")") ;;
        esac
    done < <(IFS=$'\\n'; COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    case ${COMPREPLY[0]} in
        *[=./]) compopt -o nospace ;;
    esac
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def source(self) -> str:
        return self.source_template % self.source_vars()  # without asking a bash for its version

    def get_completion_args(self) -> tuple[list[str], str]:
        words, last = super().get_completion_args()
        joined = list(_joined([*words, last]))
        replaced = "" if last == "=" else last
        self.kept = joined[-1].removesuffix(replaced)
        return joined[:-1], joined[-1]

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{item.value.removeprefix(self.kept)}"


def _joined(words: list[str]) -> Iterator[str]:
    """Words as they were before Bash took them apart at ``=``."""
    held = None
    for word in words:
        if held is not None and (word == "=" or held.endswith("=")):
            held += word
            continue
        if held is not None:
            yield held
        held = word
    if held is not None:
        yield held


class _Zsh(_Asked, ZshComplete):
    source_template = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local -a whole begun lines
    local kind text about
    lines=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for kind text about in "${lines[@]}"; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            *)
                if [[ $about == _ ]]; then about=""; else about=":$about"; fi
                if [[ $text == *[=./] ]]; then begun+=("$text$about")
                else whole+=("$text$about"); fi ;;
        esac
    done
    (( $#begun )) && _describe -V '' begun -U -S ''
    (( $#whole )) && _describe -V '' whole -U
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef %(complete_func)s %(prog_name)s
fi
"""


class _Fish(_Asked, FishComplete):
    pass


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def register() -> None:
    """Has click use these in place of its own."""
    for name, shell in SHELLS.items():
        add_completion_class(shell, name)
