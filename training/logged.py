"""Logged turns to what they teach: corrections and confirmed answers, masked, each text once."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nlu.examples import Example
from nlu.text import normalise
from retrieval.types import FaqEntry, FaqQuery
from training.privacy import mask

FAQ = "faq"
"""What stands where a head's name would, in a claim about the FAQ entry that answers a text."""

MAX_TEXT = 500
"""Longer texts teach nothing clear."""

_MIN_LETTERS = 2
_CONFIRMABLE = ("template", "form", "faq")
_BUTTON_VALUE = re.compile(r"(?:intent|faq|more|say):.*|(?:human|yes|no):[0-9a-f]*", re.DOTALL)
_COMMAND = re.compile(r"/[A-Za-z]")


class Source(StrEnum):
    """Who says what a text means."""

    CORRECTION = "correction"
    CONFIRMED = "confirmed"


_WEIGHTS = {Source.CORRECTION: 2.0, Source.CONFIRMED: 1.0}


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """What retraining needs to know of a turn.

    Attributes:
        turn: the turn's id.
        text: what the customer wrote.
        lang: its language.
        intent: the intent that was read, empty where none was.
        emotion: the emotion that was read, empty where none was.
        decision: the way it was answered, such as `template`.
        faq: the FAQ entry that answered, empty otherwise.
        corrections: `intent`, `emotion` or `faq` to what an agent says it should have been.
        feedback: the customer's verdict: +1, -1 or 0.
        kind: the kind of content; a `button`'s text is its value.
        by_reading: True where the reading of this very text led to the answer, rather than a question asked before.
        chosen: the button that the customer tapped when this text was answered by asking back: `faq:<id>` or
            `intent:<name>`; empty otherwise.
    """

    turn: int
    text: str
    lang: str = ""
    intent: str = ""
    emotion: str = ""
    decision: str = ""
    faq: str = ""
    corrections: Mapping[str, str] = field(default_factory=dict)
    feedback: int = 0
    kind: str = "text"
    by_reading: bool = True
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a text is said to mean.

    Attributes:
        turn: the turn that says so.
        text: normalised and masked.
        lang: its language, empty where unknown.
        head: a head's name, or `FAQ`.
        label: the label, or the FAQ entry's id.
        source: who says so.
    """

    turn: int
    text: str
    lang: str
    head: str
    label: str
    source: Source


@dataclass(frozen=True, slots=True)
class Clash:
    """A correction that contradicts something else said about the same text.

    Attributes:
        claim: the correction; it is the one that counts.
        against: `correction` for an earlier one, `base` for the base examples or FAQ, `test` for the frozen test set.
        other: the other label or labels.
    """

    claim: Claim
    against: str
    other: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        claim = self.claim
        place = {"turn": claim.turn, "text": claim.text, "field": claim.head, "label": claim.label}
        return {**place, "against": self.against, "other": list(self.other)}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a log teaches.

    Attributes:
        claims: one for each text and head.
        dropped: why turns or claims were not used, and how many.
        contradictions: corrections that contradict something.
    """

    claims: tuple[Claim, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    contradictions: tuple[Clash, ...] = ()

    @property
    def corrections(self) -> tuple[Claim, ...]:
        """The claims that agents made."""
        return tuple(claim for claim in self.claims if claim.source is Source.CORRECTION)

    @property
    def taken(self) -> dict[str, int]:
        """How many claims there are by source."""
        return dict(Counter(claim.source.value for claim in self.claims))

    @property
    def examples(self) -> tuple[Example, ...]:
        """The claims about heads as examples, one for each text and source."""
        grouped: dict[tuple[str, Source], list[Claim]] = defaultdict(list)
        for claim in self.claims:
            if claim.head != FAQ:
                grouped[text_key(claim.text), claim.source].append(claim)
        return tuple(
            Example(
                claims[0].text,
                {claim.head: claim.label for claim in claims},
                lang=claims[0].lang,
                weight=_WEIGHTS[source],
                source=source.value,
            )
            for (_, source), claims in grouped.items()
        )

    @property
    def variants(self) -> tuple[Claim, ...]:
        """The claims about FAQ entries."""
        return tuple(claim for claim in self.claims if claim.head == FAQ)


class Known:
    """What is known before the log is read.

    Args:
        examples: the base examples; their labels are the only ones that corrections may name.
        faq: the knowledge base.
        test: the frozen test set.
        queries: the frozen FAQ queries.
    """

    def __init__(
        self,
        examples: Iterable[Example],
        faq: Sequence[FaqEntry] = (),
        test: Iterable[Example] = (),
        queries: Iterable[FaqQuery] = (),
    ) -> None:
        self._groups = {entry.id: faq_group(entry) for entry in faq}
        self.labels: dict[str, set[str]] = defaultdict(set)
        self.base: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.test: dict[tuple[str, str], set[str]] = defaultdict(set)
        for example in examples:
            for head, label in example.labels.items():
                self.labels[head].add(label)
                self.base[text_key(example.text), head].add(label)
        for entry in faq:
            for wording in (entry.question, *entry.variants):
                self.base[text_key(wording), FAQ].add(self._groups[entry.id])
        for example in test:
            for head, label in example.labels.items():
                self.test[text_key(example.text), head].add(label)
        for query in queries:
            right = {self._groups.get(entry, entry) for entry in query.relevant}
            self.test[text_key(query.query), FAQ] |= right

    def names(self, claim: Claim) -> bool:
        """Whether the claim's label or entry exists."""
        return claim.label in (self._groups if claim.head == FAQ else self.labels.get(claim.head, ()))

    def meaning(self, claim: Claim) -> str:
        """What the claim says, comparable with `base` and `test`: translations of an FAQ entry mean the same."""
        return self._groups[claim.label] if claim.head == FAQ else claim.label


def gather(turns: Iterable[LoggedTurn], known: Known) -> Gathered:
    """Collects what a log teaches.

    A correction outweighs a confirmed answer, a later claim an earlier one. What the base examples say already is
    dropped; a correction that contradicts them is kept and told, a confirmed answer that does is dropped.

    Args:
        turns: logged turns, the oldest first.
        known: what is known before.

    Returns:
        One claim for each text and head, what was dropped and why, and the contradictions.
    """
    dropped: Counter[str] = Counter()
    clashes: list[Clash] = []
    latest: dict[tuple[str, str], Claim] = {}
    for turn in turns:
        claims = list(_claims(turn))
        reason = unfit(turn) if claims else "neither corrected nor confirmed"
        if reason:
            dropped[reason] += 1
            continue
        for claim in claims:
            if known.names(claim):
                _keep(claim, latest, dropped, clashes)
            else:
                dropped["unknown FAQ entry" if claim.head == FAQ else "unknown label"] += 1
    kept = []
    for (key, head), claim in latest.items():
        meaning, before = known.meaning(claim), known.base.get((key, head), set())
        tested = known.test.get((key, head), set())
        if meaning in before:
            dropped["known already"] += 1
        elif claim.source is Source.CONFIRMED and (before or (tested and meaning not in tested)):
            dropped["confirmed against what is known"] += 1
        else:
            kept.append(claim)
            if before:
                clashes.append(Clash(claim, "base", tuple(sorted(before))))
            if tested and meaning not in tested:
                clashes.append(Clash(claim, "test", tuple(sorted(tested))))
    held = {(claim.turn, claim.head) for claim in kept}
    told = tuple(clash for clash in clashes if (clash.claim.turn, clash.claim.head) in held)
    return Gathered(tuple(kept), dict(dropped), told)


def unfit(turn: LoggedTurn) -> str:
    """Why a turn's text teaches nothing; empty where it may teach something."""
    text = normalise(turn.text)
    if not text:
        return "empty"
    if turn.kind == "button" or _BUTTON_VALUE.fullmatch(text):
        return "a button"
    if _COMMAND.match(text):
        return "a command"
    if len(text) > MAX_TEXT:
        return f"longer than {MAX_TEXT} characters"
    if sum(character.isalpha() for character in text) < _MIN_LETTERS:
        return "too short"
    return ""


def text_key(text: str) -> str:
    """What makes two texts the same: normalised, masked, without regard to case."""
    return mask(normalise(text)).casefold()


def faq_group(entry: FaqEntry) -> str:
    """What translations of one FAQ entry (`<stem>.<lang>`) have in common."""
    return entry.id.removesuffix(f".{entry.lang}")


def _claims(turn: LoggedTurn) -> Iterator[Claim]:
    text = mask(normalise(turn.text))
    for head, label in turn.corrections.items():
        yield Claim(turn.turn, text, turn.lang, head, label, Source.CORRECTION)
    if "intent" in turn.corrections or FAQ in turn.corrections:
        return
    verb, _, chosen = turn.chosen.partition(":")
    if verb in ("intent", FAQ) and chosen:
        yield Claim(turn.turn, text, turn.lang, verb, chosen, Source.CONFIRMED)
        return
    if turn.feedback <= 0 or turn.decision not in _CONFIRMABLE or not turn.by_reading:
        return
    if turn.decision == "faq" and turn.faq:
        yield Claim(turn.turn, text, turn.lang, FAQ, turn.faq, Source.CONFIRMED)
    elif turn.decision != "faq" and turn.intent:
        yield Claim(turn.turn, text, turn.lang, "intent", turn.intent, Source.CONFIRMED)


def _keep(claim: Claim, latest: dict[tuple[str, str], Claim], dropped: Counter[str], clashes: list[Clash]) -> None:
    """Lets a claim take its place among the earlier ones about the same text."""
    key = (text_key(claim.text), claim.head)
    earlier = latest.get(key)
    if earlier is None:
        latest[key] = claim
        return
    if earlier.source is Source.CORRECTION and claim.source is Source.CONFIRMED:
        dropped["said before" if earlier.label == claim.label else "outweighed by a correction"] += 1
        return
    latest[key] = claim
    if earlier.label == claim.label:
        dropped["said before"] += 1
    elif earlier.source is claim.source:
        dropped["replaced by a later one"] += 1
        if claim.source is Source.CORRECTION:
            clashes.append(Clash(claim, "correction", (earlier.label,)))
    else:
        dropped["outweighed by a correction"] += 1
