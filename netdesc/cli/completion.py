"""``netdesc completion``: click's shell scripts, extended for ``--set KEY=VALUE``."""

from __future__ import annotations

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
)

from netdesc.cli.output import Output, SafeText


class _QuietComplete(ShellComplete):
    """Completion that ends without output if the shell does not say which word to complete."""

    def get_completion_args(self) -> tuple[list[str], str]:
        try:
            return super().get_completion_args()
        except (KeyError, ValueError, IndexError):  # COMP_WORDS or COMP_CWORD
            raise SystemExit(0) from None


@add_completion_class
class _Fish(_QuietComplete, FishComplete):
    """Completion in fish."""


@add_completion_class
class _Bash(_QuietComplete, BashComplete):
    """Completion in Bash: adds no space after ``training.epochs=``, and completes the value.

    Bash splits ``KEY=VALUE`` into three words, and replaces only the last word.
    """

    source_template = BashComplete.source_template.replace(
        "    return 0\n",
        "    [[ ${COMPREPLY[0]-} == *[=.] ]] && compopt -o nospace\n    return 0\n",
    )
    prefix = ""
    """The part of ``KEY=VALUE`` before the word that Bash replaces."""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        words = [*args, incomplete]
        while "=" in words[1:]:
            equals = words.index("=", 1)
            words[equals - 1 : equals + 2] = ["".join(words[equals - 1 : equals + 2])]
        *args, joined = words
        self.prefix = joined if incomplete == "=" else joined.removesuffix(incomplete)
        return args, joined

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{item.value.removeprefix(self.prefix)}"


@add_completion_class
class _Zsh(_QuietComplete, ZshComplete):
    """Completion in zsh: adds no space after ``training.epochs=``."""

    source_template = ZshComplete.source_template.replace(
        "for type key descr in ${response}; do\n",
        """for type key descr in ${response}; do
        if [[ "$type" == "plain" && "$key" == *[=.] ]]; then
            compadd -U -S '' -- "$key"
            continue
        fi
""",
    )


@click.command(
    epilog="\b\nExamples, which install it permanently:\n"
    "  netdesc completion bash >> ~/.bashrc\n"
    "  netdesc completion zsh >> ~/.zshrc\n"
    "  netdesc completion fish > ~/.config/fish/completions/netdesc.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL for commands, options, keys, runs and files.

    In a new shell, TAB then also completes the values of --set: training.ep becomes
    training.epochs=. If a document precedes --set, its layers are completed, too.
    """
    from netdesc.cli.main import COMPLETE_VARIABLE

    shell_class = get_completion_class(shell)
    assert shell_class is not None
    script = shell_class(ctx.find_root().command, {}, "netdesc", COMPLETE_VARIABLE).source()
    ctx.ensure_object(Output).print(SafeText(script.rstrip("\n")))
