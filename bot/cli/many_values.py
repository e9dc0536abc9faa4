"""Options that take several values at once, as in `--examples a.jsonl b.jsonl`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from typer.core import TyperCommand


class ManyValues(TyperCommand):
    """A command whose repeatable options take every value up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the command line."""
        repeatable = [each for each in self.params if getattr(each, "multiple", False)]
        flags = [each for each in self.params if getattr(each, "is_flag", False)]
        wanted = sum(each.required for each in self.params if each.param_type_name == "argument")
        return super().parse_args(ctx, spread(args, _names(repeatable), _names(flags), wanted))


def spread(
    given: Sequence[str], options: Collection[str], flags: Collection[str] = (), arguments: int = 0
) -> list[str]:
    """Repeats an option before each of its values.

    Args:
        given: a command line, such as `--examples a b --out c`.
        options: those that may be repeated.
        flags: options that take no value.
        arguments: how many words the command wants that belong to no option; where they do not stand elsewhere, the
            last word of the line is one.

    Returns:
        The same as `--examples a --examples b --out c`; what follows a `--` is left as it is.
    """
    done: list[str] = []
    option, has_value, repeated = "", True, -1
    for place, word in enumerate(given):
        if word == "--":
            return [*done, *given[place:]]
        if word.startswith("-") and word != "-":
            option, sign, _ = word.partition("=")
            has_value = bool(sign) or option in flags
        elif not has_value:
            has_value = True
        elif option in options:
            repeated = len(done)
            done.append(option)
        else:
            arguments -= 1
        done.append(word)
    if arguments > 0 and 0 <= repeated == len(done) - 2:
        del done[repeated]
    return done


def _names(parameters: Iterable[Any]) -> set[str]:
    return {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
