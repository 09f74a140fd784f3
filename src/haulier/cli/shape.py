"""What all commands share in form: plain help with examples, errors as sentences."""

import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from haulier.cli.failures import tell

_UNFIT = {
    "int_parsing": "{input!r} is no whole number",
    "float_parsing": "{input!r} is no number",
    "greater_than_equal": "{input} is too small, at least {ge}",
    "less_than_equal": "{input} is too large, at most {le}",
}


class Command(TyperCommand):
    """A command whose epilog is printed as it is written, and what does not fit is told in our words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = _fitting_words(error)
            raise

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _verbatim(self.epilog, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]


class Group(TyperGroup):
    """A command that has commands of its own, and an epilog as `Command`."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _verbatim(self.epilog, formatter)


class Program(Group):
    """The program: no exception leaves it, unless --debug asks for the traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        from haulier.cli.completion import OPTIONS, answer_if_named

        if args and args[0] in OPTIONS:
            answer_if_named(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return self._flushed(super().invoke(ctx))
        except (KeyboardInterrupt, Exception) as error:
            if isinstance(error, (typer.Exit, typer.Abort, typer.TyperException)) or ctx.params.get("debug"):
                raise
            raise typer.Exit(tell(error)) from None

    def _flushed(self, done: Any) -> Any:
        """`done`, once stdout has all of it: a full disk is to be told here, not while Python ends."""
        sys.stdout.flush()
        return done


def _fitting_words(error: typer.BadParameter) -> str:
    """Typer's message, unless pydantic has made it."""
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if not found:
        return error.message
    words = _UNFIT.get(found[0]["type"])
    if words is None:
        return error.message.removeprefix("Value error, ")
    return words.format(input=found[0]["input"], **found[0].get("ctx", {}))


def _verbatim(text: str | None, formatter: Any) -> None:
    if text:
        formatter.write("\n")
        for line in text.splitlines():
            formatter.write(f"{line}\n")


def examples(*lines: str) -> str:
    return "\n".join(["Examples:", *(f"  {line}" for line in lines)])
