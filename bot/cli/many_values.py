"""Options that take several values at once, as in `--examples a.jsonl b.jsonl`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperCommand


class ManyValues(TyperCommand):
    """A command whose repeatable options take every value up to the next option; arguments stand before them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the command line."""
        repeatable = {
            name for parameter in self.params if getattr(parameter, "multiple", False) for name in parameter.opts
        }
        return super().parse_args(ctx, spread(args, repeatable))


def spread(given: Sequence[str], options: Collection[str]) -> list[str]:
    """Repeats an option before each of its values.

    Args:
        given: a command line, such as `--examples a b --out c`.
        options: those that may be repeated.

    Returns:
        The same as `--examples a --examples b --out c`; what follows a `--` is left as it is.
    """
    done: list[str] = []
    option, has_value = "", False
    for place, word in enumerate(given):
        if word == "--":
            return [*done, *given[place:]]
        if word.startswith("-") and word != "-":
            option, sign, _ = word.partition("=")
            has_value = bool(sign)
        elif option in options and has_value:
            done.append(option)
        else:
            has_value = True
        done.append(word)
    return done
