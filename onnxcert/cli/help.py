"""Commands of Typer whose --help has sections and fits any terminal."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

from onnxcert.cli.options.base import MOST_USED, OPTIONS, OUTPUT, SECTIONS

_WIDEST: Final = 100  # longer lines are hard to read
_NARROW: Final = 64  # below, the text of an option stands under its name
_TERM: Final = 30  # widest column of option names


def _set_width(context: Any) -> int:
    """Make the help of `context` as wide as the terminal; return that width."""
    # Typer itself never goes below 50 columns.
    width = min(max(shutil.get_terminal_size().columns, 20), _WIDEST)
    context.terminal_width = width
    return width


def _write_section(formatter: Any, title: str, records: Sequence[tuple[str, str]]) -> None:
    with formatter.section(title):
        if formatter.width >= _NARROW:
            formatter.write_dl(records, col_max=_TERM)
            return
        for term, text in records:  # as `write_dl`, with the text on lines of its own
            formatter.write_dl([(_break(term, formatter.width - 2), text)], col_max=2)


def _break(term: str, width: int) -> str:
    """Return `term` broken at its slash if it is too long for a line."""
    return term if len(term) <= width else term.replace(" / ", " /\n  ")


class Command(TyperCommand):
    """A command whose --help has one section per group of options.

    Attributes:
        most_used: Options that the first section lists, by name.
        read_defaults: Returns the values that a preset or a file gives, from the context and the
            values on the command line.
    """

    most_used: Sequence[str] = ()
    read_defaults: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if self.read_defaults is not None and not ctx.resilient_parsing:
            given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            if not given.get("help"):
                given = {name: value for name, value in given.items() if value not in (None, ())}
                ctx.default_map = self.read_defaults(ctx, given)
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:
        _set_width(ctx)
        return super().get_help(ctx)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        arguments = [
            f"[{p.metavar or p.name.upper()}]{'...' * (p.nargs != 1)}"
            if not p.required
            else (p.metavar or p.name.upper())
            for p in self.get_params(ctx)
            if p.param_type_name == "argument"
        ]
        formatter.write_usage(ctx.command_path, " ".join(["[OPTIONS]", *arguments]))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in SECTIONS}
        first = dict.fromkeys(self.most_used, ("", ""))
        parameter: Any
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                name = parameter.metavar or parameter.name.upper()
                sections["Arguments"].append((name, parameter.help or ""))
            elif parameter.name in first:
                first[parameter.name] = record
            else:
                plain = OUTPUT if self.most_used else OPTIONS
                title = getattr(parameter, "rich_help_panel", None) or plain
                sections.setdefault(title, []).append(record)
        sections[MOST_USED] = list(first.values())
        for title, records in sections.items():
            if records:
                _write_section(formatter, title, records)


class LazyGroup(TyperGroup):
    """Commands that are imported when they are called.

    Attributes:
        summaries: Command -> its line of --help.
        load: Imports a command.
    """

    summaries: Mapping[str, str] = {}
    load: Callable[[str], Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "commands": dict.fromkeys(self.summaries)})

    def get_command(self, _context: Any, name: str) -> Any:
        return type(self).load(name) if name in self.summaries else None

    def get_help(self, ctx: Any) -> str:
        _set_width(ctx)
        return super().get_help(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        records = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        _write_section(formatter, OPTIONS, [one for one in records if one])
        _write_section(formatter, "Commands", list(self.summaries.items()))
