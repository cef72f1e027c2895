"""A click group that imports the module of a command only when the command runs."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

CommandSection = Mapping[str, tuple[str, str]]
"""Name of a command -> its ``module:attribute`` in ``netdesc.cli``, and its line in the help."""


class LazyGroup(click.Group):
    """Lists its commands from a table, so that ``--help`` imports no command."""

    def __init__(
        self,
        *args: Any,
        sections: Mapping[str, CommandSection],
        suggestions: Mapping[str, str],
        commands_by_suffix: Mapping[str, str],
        **settings: Any,
    ) -> None:
        """``sections`` are the commands by the heading above them in the help.

        ``suggestions`` maps command names of other programs to the commands to type instead.
        ``commands_by_suffix`` maps suffixes of files to the commands that use such files.
        """
        super().__init__(*args, **settings)
        self.sections = sections
        self.entries = {name: each for part in sections.values() for name, each in part.items()}
        self.suggestions = suggestions
        self.commands_by_suffix = commands_by_suffix

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.entries:
            return None
        import_path, _summary = self.entries[cmd_name]
        module, _, attribute = import_path.partition(":")
        return getattr(importlib.import_module(f"netdesc.cli.{module}"), attribute)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes command names without importing the commands, and the group's own options."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in self.entries.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.entries))
        for heading, section in self.sections.items():
            with formatter.section(heading):
                rows = [(name.ljust(width), summary) for name, (_, summary) in section.items()]
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolves a command as click does; an unknown name is an error with a suggestion.

        click's own suggestion would import every command.
        """
        is_known = not args or args[0].startswith("-") or args[0] in self.entries
        if not is_known and not ctx.resilient_parsing:
            suggestion = self._suggest(args[0])
            hint = "" if suggestion is None else f' Did you mean "{suggestion}"?'
            ctx.fail(f'no command "{args[0]}".{hint}')
        return super().resolve_command(ctx, args)

    def _suggest(self, name: str) -> str | None:
        """Returns what to type instead of an unknown command, which may be the name of a file."""
        from difflib import get_close_matches

        command = self.commands_by_suffix.get(Path(name).suffix.lower())
        if command is not None:
            return f"{command} {shlex.quote(name)}"
        similar = get_close_matches(name, self.entries, n=1)
        return self.suggestions.get(name) or next(iter(similar), None)
