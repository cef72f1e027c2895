"""The entry point of the command line: ``main``, which runs a command."""

import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from netdesc import __version__
from netdesc.cli.commands import LazyGroup
from netdesc.cli.failures import exit_with
from netdesc.cli.output import Output, SafeText

COMPLETE_VARIABLE = "_NETDESC_COMPLETE"
"""The shell sets this variable to ask for completions. click derives its name from ``netdesc``."""

EPILOG = """\b
Start with:
  netdesc init first
  cd first
  netdesc compile-and-train first.json

\b
Exit codes: 0 success, 1 a document or file is wrong, 2 wrong usage, 3 missing data or
environment, 4 training diverged, 70 a bug in netdesc, 75 stopped by a signal,
130 interrupted.
"""


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
)
@click.version_option(__version__, prog_name="netdesc", message="%(prog)s %(version)s")
def netdesc() -> None:
    """Compile a JSON description of a spiking network into a trained network."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits. A command returns its exit code, or None for 0."""
    _replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # prints ? for what it cannot encode
    output = Output()
    try:
        if os.environ.get(COMPLETE_VARIABLE):  # click answers the shell, and exits
            netdesc.main(prog_name="netdesc")
        code = netdesc.main(
            args=None if arguments is None else list(arguments),
            prog_name="netdesc",
            standalone_mode=False,
            obj=output,
        )
        output.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (the command ends here)
        exit_with(output, error)
    sys.exit(code or 0)


@click.command(
    epilog="\b\nExamples, which install it permanently:\n"
    "  netdesc completion bash >> ~/.bashrc\n"
    "  netdesc completion zsh >> ~/.zshrc\n"
    "  netdesc completion fish > ~/.config/fish/completions/netdesc.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def completion(output: Output, shell: str) -> None:
    """Print the completion script of SHELL for commands, options, files and words to explain."""
    from click.shell_completion import get_completion_class

    shell_class = get_completion_class(shell)
    assert shell_class is not None
    script = shell_class(netdesc, {}, "netdesc", COMPLETE_VARIABLE).source()
    output.print(SafeText(script.rstrip("\n")))


def _replace_closed_streams() -> None:
    """Connects a closed standard stream to the null device. Otherwise Python sets it to None, and
    the next file that is opened gets its file descriptor."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115  (stays open to the end)
            setattr(sys, name, null)
