"""How commands are declared: their flags are the fields of a class, and their help is printed like other output.

Nothing here knows what the commands do.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click
import msgspec

from tickboard.output.terminal import Answers

PATH = click.Path(path_type=Path)
"""The type of a path, which a shell completes."""

Run = TypeVar("Run", bound=Callable[..., None])


class _Helpful(click.Command):
    """A command whose help is printed like other output, so that a full disk or a closed pipe is reported."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _print_help
        return option


class Command(_Helpful):
    """A command with flags and operands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words of the command line.

        Raises:
            click.UsageError: a flag is unknown, a value is invalid, or there is an argument too many.
        """
        ctx.allow_extra_args = True
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            takes = f"one {files}" if (files := operands(self, ctx)) else "only flags"
            ctx.fail(f"Unexpected argument {extra[0]!r}: {self.name} takes {takes}.")
        return extra


class Group(_Helpful, click.Group):
    """A command that has commands, listed in the order of their declaration."""

    command_class = Command
    group_class = type  # nested groups use this class too

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a summary of each command, without truncating it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(command)) for name, command in self.commands.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the name, the command and the words after it.

        Raises:
            click.UsageError: there is no such command, or flags come before it.
        """
        word, *rest = args
        command = self.commands.get(word)
        if command is None and not ctx.resilient_parsing:
            if word.endswith(".py"):
                ctx.fail(f"There is no command {word!r}: to serve a file, write {ctx.command_path} run {word}.")
            ctx.fail(f"There is no command {word!r}: the commands are {', '.join(self.commands)}.")
        if command is not None and any(_is_given(ctx, each) for each in self.params):
            files = operands(command, ctx)
            ctx.fail(f"Flags go after the command: {ctx.command_path} {word}{files and ' '}{files} [flags].")
        return word, command, rest


def summary(command: click.Command) -> str:
    """Return the first paragraph of a command's help, on one line."""
    return " ".join((command.help or "").partition("\n\n")[0].split())


def operands(command: click.Command, ctx: click.Context) -> str:
    """Return the names of a command's arguments other than flags, such as ``FILE``; empty: none."""
    return " ".join(each.human_readable_name for each in command.params if isinstance(each, click.Argument))


def flags(group: type[msgspec.Struct], name: str) -> Callable[[Run], Run]:
    """Add the fields of a class to a command as flags; its function gets an instance of the class as `name`.

    A field ``allow_host: Annotated[tuple[str, ...], "its help"] = ()`` is a flag ``--allow-host`` that may be repeated.

    Args:
        group: the class. Every field has a default.
        name: the parameter of the function.
    """
    hints = get_type_hints(group, include_extras=True)
    defaults = dict(zip(group.__struct_fields__, group.__struct_defaults__, strict=True))

    def decorate(function: Run) -> Run:
        @wraps(function)
        def called(**given: Any) -> None:
            function(**{name: group(**{field: given.pop(field) for field in defaults})}, **given)

        for field, default in reversed(defaults.items()):
            annotation, about = get_args(hints[field])
            click.option(
                f"--{field.replace('_', '-')}",
                type=_type_of(annotation),
                default=default,
                show_default=default not in {None, ()},
                multiple=default == (),
                help=about,
            )(called)
        return called  # type: ignore[return-value]  # the function that click calls has other parameters

    return decorate


def _type_of(annotation: object) -> click.ParamType[Any]:
    # Of `T`, `T | None` or `tuple[T, ...]`.
    kind = annotation if get_origin(annotation) is Literal else next(iter(get_args(annotation)), annotation)
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind), case_sensitive=False)
    types: dict[object, click.ParamType[Any]] = {str: click.STRING, int: click.INT, Path: PATH}
    return types[kind]


def _is_given(ctx: click.Context, parameter: click.Parameter) -> bool:
    return ctx.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE


def _print_help(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        Answers().write(f"{ctx.get_help()}\n")
        ctx.exit()
