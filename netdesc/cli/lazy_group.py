"""A click group that imports the module of a command only when the command runs."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class CommandEntry(NamedTuple):
    """A command: ``import_path`` is ``module:attribute``, ``summary`` its line in the group's help.

    ``section`` is the heading above the command in the help. The help lists the sections in the
    order in which the table of commands first names them.
    """

    import_path: str
    summary: str
    section: str = "Look"


class LazyGroup(click.Group):
    """Lists its commands from a table, so that ``--help`` imports no command."""

    def __init__(
        self,
        *args: Any,
        entries: Mapping[str, CommandEntry],
        suggestions: Mapping[str, str] | None = None,
        commands_by_suffix: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        """``suggestions`` maps command names of other programs to the commands to type instead.

        ``commands_by_suffix`` maps suffixes of files to the commands that use such files.
        """
        super().__init__(*args, **settings)
        self.entries = entries
        self.suggestions = suggestions or {}
        self.commands_by_suffix = commands_by_suffix or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.import_path.partition(":")
        return getattr(importlib.import_module(module), attribute)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes command names without importing the commands, and the group's own options."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=entry.summary)
            for name, entry in self.entries.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.entries))
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (name.ljust(width), entry.summary)
                        for name, entry in self.entries.items()
                        if entry.section == section
                    ]
                )

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
