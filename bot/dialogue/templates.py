"""Answer templates: phrasings by language and emotion, and their safe rendering."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.messages import Button, Reply
from bot.errors import InputError

DEFAULT = "default"
"""The key of phrasings for customers in no particular mood."""

NAME = "name"
"""The placeholder that every template may use: the bot's name."""

VALUE_LIMIT = 300
"""Characters of a slot's value that are shown."""

SYSTEM_TEMPLATES: Mapping[str, frozenset[str]] = {
    "help": frozenset(),
    "fallback": frozenset(),
    "clarify": frozenset(),
    "clarify_one": frozenset({"option"}),
    "human_ask": frozenset(),
    "handover": frozenset(),
    "handover_waiting": frozenset(),
    "agent_joined": frozenset(),
    "agent_left": frozenset(),
    "closed": frozenset(),
    "unavailable": frozenset(),
    "slow_down": frozenset(),
    "empty": frozenset(),
    "too_long": frozenset(),
    "unknown_language": frozenset(),
    "got_photo": frozenset(),
    "got_sticker": frozenset(),
    "got_voice": frozenset(),
    "got_location": frozenset(),
    "got_file": frozenset(),
    "got_other": frozenset(),
    "form_resume": frozenset(),
    "form_again": frozenset(),
    "form_cancelled": frozenset(),
    "form_failed": frozenset(),
    "nothing_to_cancel": frozenset(),
}
"""Templates that the bot itself needs, with the placeholders each may use besides `{name}`."""

OPTIONAL_TEMPLATES: Mapping[str, frozenset[str]] = {
    "sympathy": frozenset(),
    "expected_wait": frozenset({"minutes"}),
    "closed_now": frozenset({"opens"}),
    "agent_delayed": frozenset(),
    "rate": frozenset(),
    "rated": frozenset(),
    "choose_language": frozenset(),
    "language_set": frozenset(),
    "export_ready": frozenset(),
    "erase_ask": frozenset(),
    "erased": frozenset(),
    "number_hidden": frozenset(),
    "unwanted": frozenset(),
    "earlier_question": frozenset(),
    "clarify_again": frozenset(),
    "ask_privately": frozenset(),
}
"""What the bot says besides where the operator wrote it: before an FAQ answer to a customer in a bad mood, after a
handover, when an agent closes the conversation, to a rating, to the commands that need it, where a private number was
hidden, to unwanted words, to a button of a question that is closed, when it asks back once more, and where data is
asked for in a group."""

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "human": (),
    "cancel": (),
    "language": ("choose_language", "language_set"),
    "export": ("export_ready",),
    "erase": ("erase_ask", "erased"),
}
"""What a command can do besides saying a template, with the optional templates that it needs."""

_PIECE = re.compile(r"\{\{|\}\}|\{([a-z][a-z0-9_]*)\}|([{}])|[^{}]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Phrasing:
    """One way to say something.

    Attributes:
        pieces: literal text and placeholder names in turn, beginning with literal text.
        buttons: quick replies under it.
    """

    pieces: tuple[str, ...]
    buttons: tuple[Button, ...] = ()

    @property
    def slots(self) -> frozenset[str]:
        """The placeholders it uses."""
        return frozenset(self.pieces[1::2])


def parse_phrasing(text: str, buttons: Sequence[Button] = ()) -> Phrasing:
    """Takes a phrasing's text apart; `{order_number}` is a placeholder, `{{` and `}}` stand for braces.

    Args:
        text: the text as the operator wrote it.
        buttons: quick replies under it.

    Returns:
        The phrasing.

    Raises:
        InputError: a brace stands alone, or holds anything but a plain name.
    """
    pieces = [""]
    for match in _PIECE.finditer(text):
        if match[2]:
            raise InputError(
                f'a "{match[2]}" at character {match.start() + 1} belongs to no placeholder: '
                'write {slot} with a plain lower-case name, or "{{" and "}}" for braces'
            )
        if match[1]:
            pieces += [match[1], ""]
        else:
            pieces[-1] += {"{{": "{", "}}": "}"}.get(match[0], match[0])
    return Phrasing(tuple(pieces), tuple(buttons))


def render_phrasing(phrasing: Phrasing, slots: Mapping[str, str]) -> str:
    """Puts values into a phrasing, literally: braces and markup in a value mean nothing.

    Args:
        phrasing: what to say.
        slots: placeholder to value; a value is cut at `VALUE_LIMIT` characters and loses its line breaks.

    Returns:
        The text.

    Raises:
        InputError: a placeholder has no value.
    """
    missing = sorted(phrasing.slots - slots.keys())
    if missing:
        raise InputError(f"no value was given for {missing}; the phrasing needs it: {phrasing.pieces[0][:40]!r}…")
    shown = [shorten(slots[piece]) if i % 2 else piece for i, piece in enumerate(phrasing.pieces)]
    return "".join(shown)


def shorten(value: str, limit: int = VALUE_LIMIT) -> str:
    """A value on one line, without control characters, at most `limit` characters long."""
    flat = _CONTROL.sub(" ", value).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Template:
    """Everything that can be said under one key.

    Attributes:
        key: the intent or system message it belongs to.
        phrasings: language to emotion (or `default`) to phrasings; `default` is always there and no list is empty.
    """

    key: str
    phrasings: Mapping[str, Mapping[str, tuple[Phrasing, ...]]]


@dataclass(frozen=True, slots=True)
class TemplateBook:
    """All templates of a bot.

    Attributes:
        templates: key to template.
        names: language to the bot's name.
        default_language: what is spoken where a language is asked for that the bot has not.
    """

    templates: Mapping[str, Template]
    names: Mapping[str, str]
    default_language: str = field(default="en")

    def has(self, key: str) -> bool:
        """Whether there is anything to say under a key."""
        return key in self.templates

    def render(self, key: str, lang: str, emotion: str, slots: Mapping[str, str], variant: int) -> Reply:
        """Says something.

        Args:
            key: what, by template key.
            lang: in which language; the default language where the bot does not have it.
            emotion: the customer's believed emotion, empty for none; one without phrasings of its own gets the default.
            slots: placeholder to value.
            variant: a number that grows from turn to turn; neighbours give different phrasings where there are two.

        Returns:
            The message.

        Raises:
            InputError: there is no such template, or a placeholder has no value.
        """
        template = self.templates.get(key)
        if template is None:
            raise InputError(f'there is no template "{key}"; add it to templates.yaml')
        spoken = lang if lang in template.phrasings else self.default_language
        by_emotion = template.phrasings[spoken]
        phrasings = by_emotion.get(emotion) or by_emotion[DEFAULT]
        phrasing = phrasings[variant % len(phrasings)]
        values = {NAME: self.names.get(spoken, ""), **slots}
        return Reply(render_phrasing(phrasing, values), spoken, phrasing.buttons)
