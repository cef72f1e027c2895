"""``netdesc completion``: prints click's script for a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from netdesc.cli.output import Output, SafeText


@click.command(
    epilog="\b\nExamples, which install it permanently:\n"
    "  netdesc completion bash >> ~/.bashrc\n"
    "  netdesc completion zsh >> ~/.zshrc\n"
    "  netdesc completion fish > ~/.config/fish/completions/netdesc.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL for commands, options, files and words to explain."""
    from netdesc.cli.main import COMPLETE_VARIABLE

    shell_class = get_completion_class(shell)
    assert shell_class is not None
    script = shell_class(ctx.find_root().command, {}, "netdesc", COMPLETE_VARIABLE).source()
    ctx.ensure_object(Output).print(SafeText(script.rstrip("\n")))
