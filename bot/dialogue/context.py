"""A message that leans on the one before it: "and on Sundays?", "do they expire?", "那周六呢？"."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from retrieval.types import Hit

ENOUGH = 0.4
"""Certainty from which on an entry is believed to be meant; 2.5 is certain by itself and with what was asked."""

SURE = 0.65
"""Certainty of an entry for both texts together, from which on a few words are not believed to mean something else."""

_TOGETHER = 1.5
_LEAST_LEFT = 0.2
_JOINED = re.compile(
    r"^(?:and|but|so|then|or|ok|okay|what about|how about)\b"
    # Part of a sentence: "without the receipt too?", but not "can I pay by card too?".
    r"|^(?:with|without|for|from|to|on|at|in|by|after|before|during)\b.*\b(?:too|as well|either)[?.!]*$"
    r"|^(?:那|那么|还有|然后|如果|要是|好的|好|行)|呢[?？。!！]*$",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:it|its|they|them|their|that|those|these|this|there|ones?)\b|它|这个|那个|之后", re.IGNORECASE
)
_JOINS = re.compile(
    r"(?:(?:and|also|or|then|ok|okay|please|now|for|what about|how about|(?:the|my) other|other|another|one)\b"
    r"|(?:order|number)\b"
    r"|那么|那|还有|然后|或者|也|再|呢|另一个|另外|这个|订单|单号|号|[\s\W_])*+",
    re.IGNORECASE,
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+")
_HAN_WORDS = 0.6
"""Words in a Chinese character: most words have one or two."""
_FEW_WORDS = 7
_MANY_WORDS = 12
"""A message with more says what it means by itself, if it has an answer."""


def leans(text: str, *, understood: bool) -> bool:
    """Whether a message may need the one before it.

    Args:
        text: what the customer wrote.
        understood: True where it has an answer by itself; then only words that join or point count, not its shortness.

    Returns:
        True where it begins as a continuation, points at something said before, or is too short to say much.
    """
    said = text.strip()
    if understood and _words(said) > _MANY_WORDS:
        return False
    if _JOINED.search(said) or _POINTING.search(said):
        return True
    return not understood and is_short(said)


def joins_only(text: str) -> bool:
    """Whether words say nothing but that they continue: what is left of "And FD20481938?" without the number."""
    return bool(_JOINS.fullmatch(text))


def is_short(text: str) -> bool:
    """True where a message has few words, so that it may mean another thing after another question."""
    return _words(text) <= _FEW_WORDS


def _words(text: str) -> float:
    return len(_WORD.findall(text)) + _HAN_WORDS * len(_HAN.findall(text))


def surely_meant(alone: Sequence[Hit], together: Sequence[Hit], told: Collection[str]) -> str:
    """The FAQ entry that a message surely means after what was asked before, though it has an answer by itself.

    Args:
        alone: hits of the message by itself.
        together: hits of the question before and the message as one text.
        told: ids of entries that answered before, or were nearest to what was asked then.

    Returns:
        The id of the entry that answers both as one text, if the message by itself is near it too; empty otherwise.
    """
    best = max(together, key=lambda hit: hit.score, default=None)
    if best is None or best.score < SURE or best.entry.id in told:
        return ""
    return best.entry.id if best.entry.id in {hit.entry.id for hit in alone} else ""


def meant(alone: Sequence[Hit], together: Sequence[Hit], told: Collection[str]) -> str:
    """The FAQ entry that a message means after what was asked before.

    How well entries answer the message by itself and, with more weight, together with the question before it is added
    up. What was told already is left out, and what it leaves of the second score counts as the whole, as it would else
    outshine the rest.

    Args:
        alone: hits of the message by itself.
        together: hits of the question before and the message as one text.
        told: ids of entries that answered before, or were nearest to what was asked then.

    Returns:
        The id of the entry, empty where none is certain enough. An entry that was told before is meant again where it
        is nearest to the message by itself.
    """
    nearest = {alone[0].entry.id} if alone else set()
    left_out = set(told) - nearest
    left = max(_LEAST_LEFT, 1.0 - sum(hit.score for hit in together if hit.entry.id in left_out))
    certainty: dict[str, float] = {}
    for hits, weight, whole in ((alone, 1.0, 1.0), (together, _TOGETHER, left)):
        for hit in hits:
            if hit.entry.id not in left_out:
                certainty[hit.entry.id] = certainty.get(hit.entry.id, 0.0) + weight * min(1.0, hit.score / whole)
    best = max(certainty, key=lambda entry: certainty[entry], default="")
    return best if best and certainty[best] >= ENOUGH else ""
