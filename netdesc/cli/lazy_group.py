"""A click group whose commands live in modules that are imported only when they run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """Where a command lives, ``module:attribute``, its line in the group's help, and where there.

    Sections of the help stand in the order in which the table first names them.
    """

    place: str
    summary: str
    section: str = "Look"


class LazyGroup(click.Group):
    """Lists its commands from a table, so that ``--help`` imports none of them."""

    def __init__(
        self,
        *args: Any,
        entries: Mapping[str, Entry],
        elsewhere: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        """``elsewhere`` says what to type for words by which other programs call it."""
        super().__init__(*args, **settings)
        self.entries = entries
        self.elsewhere = elsewhere or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.place.partition(":")
        return getattr(importlib.import_module(module), attribute)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, without importing any, and the group's own options."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=entry.summary)
            for name, entry in self.entries.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, self.entries))
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (name.ljust(widest), entry.summary)
                        for name, entry in self.entries.items()
                        if entry.section == section
                    ]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a suggestion that does not import every command."""
        known = not args or args[0].startswith("-") or args[0] in self.entries
        if not known and not ctx.resilient_parsing:
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.entries, n=1)
            meant = self.elsewhere.get(args[0]) or next(iter(close), None)
            hint = "" if meant is None else f' Did you mean "{meant}"?'
            ctx.fail(f'no command "{args[0]}".{hint}')
        return super().resolve_command(ctx, args)
