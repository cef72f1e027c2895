"""``netdesc completion``."""

from __future__ import annotations

import click

from netdesc.cli.lazy import COMPLETE_VARIABLE
from netdesc.cli.output import Output


@click.command(
    epilog="\b\nExamples, each for good:\n"
    "  netdesc completion bash >> ~/.bashrc\n"
    "  netdesc completion zsh >> ~/.zshrc\n"
    "  netdesc completion fish > ~/.config/fish/completions/netdesc.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, keys, runs and files.

    In a new shell, TAB then completes also what --set takes, as training.ep for training.epochs=,
    and the layers of the document that stands before it.
    """
    from netdesc.cli.completing import SHELLS

    root = ctx.find_root()
    script = SHELLS[shell](root.command, {}, "netdesc", COMPLETE_VARIABLE).source()
    ctx.ensure_object(Output).say(script.rstrip("\n"))
