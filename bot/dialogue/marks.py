"""Marks of questions: a yes or no button carries that of the question it stands under, so that it answers no other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from bot.domain.conversation import FormState
from bot.domain.messages import Button, Reply

_BYTES = 4


def mark_of_form(state: FormState) -> str:
    """The mark of what a form asks, the same for as long as it asks that with the same values."""
    return _mark([state.form, state.intent, state.asking, sorted(state.slots.items())])


def mark_of_options(options: Sequence[str]) -> str:
    """The mark of a question that offers these options."""
    return _mark(list(options))


def marked(reply: Reply, mark: str) -> Reply:
    """A reply whose yes and no buttons carry a mark.

    Args:
        reply: with buttons as the operator wrote them.
        mark: of the question that the reply asks.

    Returns:
        The reply.
    """
    buttons = (Button(b.label, f"{b.value}{mark}") if b.value in ("yes:", "no:") else b for b in reply.buttons)
    return replace(reply, buttons=tuple(buttons))


def _mark(asked: object) -> str:
    return hashlib.blake2b(json.dumps(asked).encode(), digest_size=_BYTES).hexdigest()
