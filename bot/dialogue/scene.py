"""What the policy sees of one message: the reading, the conversation so far, and what follows from both."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.dialogue.assent import doubts, meaning_of_sign, says_no, says_yes
from bot.dialogue.forms import plain
from bot.dialogue.marks import mark_of_form, mark_of_options
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.messages import DESCRIBED, ContentKind, IncomingMessage
from bot.domain.rules import CONFIRM, BotRules
from nlu.types import OUT_OF_SCOPE, Score, Understanding
from retrieval.types import Hit, HitThresholds

SPOKEN = (ContentKind.TEXT, ContentKind.EDITED, ContentKind.BUTTON)
"""Kinds of content that are words; others are words only by their caption."""

NEARER = 0.4
"""The score from which on an entry whose questions are nearer than all examples goes before an intent."""

_TAP = re.compile(r"(intent|faq|more|rate|lang|erase|say|human|yes|no):(.*)", re.DOTALL)
_TYPED_TAP = re.compile(r"(intent|faq|more):(\S+)|(yes|no):([0-9a-f]*)|human:")


@dataclass(frozen=True, slots=True)
class Tap:
    """A tapped button.

    Attributes:
        verb: `intent`, `faq`, `more`, `rate`, `lang`, `erase`, `human`, `yes` or `no`.
        value: what follows the colon; of `yes` and `no` the mark of the question they stood under, empty in those from
            before there were marks and in those that a caller types.
    """

    verb: str
    value: str = ""


def as_said(message: IncomingMessage) -> IncomingMessage:
    """A message as the words it says.

    Args:
        message: what came.

    Returns:
        A `say:` button, a voice message with words, a caption or an edit as typed words, to be understood alike; a
        place or a contact without any; any other as it is.
    """
    if message.kind in DESCRIBED:
        return replace(message, text="")
    if message.kind not in (ContentKind.BUTTON, ContentKind.STICKER) and message.text.strip():
        return replace(message, kind=ContentKind.TEXT)
    match = _TAP.fullmatch(message.text)
    if message.kind is not ContentKind.BUTTON or match is None or match[1] != "say":
        return message
    return replace(message, text=match[2], kind=ContentKind.TEXT)


@dataclass(frozen=True, slots=True)
class Scene:
    """One message in its conversation.

    Attributes:
        understanding: the model's reading.
        conversation: the state before the message.
        hits: FAQ hits, the best first.
        hit_thresholds: where a hit's score turns into an answer.
        rules: the bot's rules.
        kind: what the message is made of.
        said: the message's own text or the tapped button's value.
    """

    understanding: Understanding
    conversation: Conversation
    hits: Sequence[Hit]
    hit_thresholds: HitThresholds
    rules: BotRules
    kind: ContentKind
    said: str

    @property
    def text(self) -> str:
        """The words of the message; for a `say:` button the words it stands for."""
        match = _TAP.fullmatch(self.said) if self.kind is ContentKind.BUTTON else None
        return match[2] if match and match[1] == "say" else self.said

    @property
    def tap(self) -> Tap | None:
        """The button that was tapped, or whose value was sent by a caller that has no buttons."""
        pattern = _TAP if self.kind is ContentKind.BUTTON else _TYPED_TAP
        match = pattern.fullmatch(self.said.strip()) if self.kind in SPOKEN else None
        if match is None or match[1] == "say":
            return None
        verb, _, value = match[0].partition(":")
        return Tap(verb, value.strip())

    @property
    def waiting(self) -> bool:
        """True where a human has been asked for and has not come yet."""
        return self.conversation.status is Status.WAITING

    @property
    def form(self) -> FormState | None:
        """The form being filled, as long as the bot still has it and its question still makes sense."""
        state = self.conversation.form
        spec = self.rules.forms.get(state.form) if state else None
        if state is None or spec is None or state.intent not in self.rules.intents:
            return None
        missing = next((slot.name for slot in spec.slots if slot.name not in state.slots), CONFIRM)
        return state if state.asking == missing and (spec.confirm or missing != CONFIRM) else None

    @property
    def lang(self) -> str:
        """The language to answer in: the message's where it has words of a known one, else the conversation's."""
        read, before = self.understanding.lang, self.conversation.lang
        wordless = self.tap is not None or not any(letter.isalpha() for letter in self._without_numbers)
        order = (before, read) if wordless else (read, before)
        return next((lang for lang in order if lang in self.rules.languages), self.rules.default_language)

    @property
    def speaks_unknown_language(self) -> bool:
        """True where the message has words of a language that the bot was not made for."""
        read = self.understanding.lang
        return bool(read) and read not in self.rules.languages and any(c.isalpha() for c in self._without_numbers)

    @property
    def _without_numbers(self) -> str:
        return re.sub(r"[A-Za-z]{0,4}[\s#._-]?[0-9][0-9\s._-]*", " ", self.text)

    @property
    def _is_number(self) -> bool:
        """True for an order number and the like, whole or in part, without any words."""
        return any(map(str.isdigit, self.text)) and not any(map(str.isalpha, self._without_numbers))

    @property
    def _is_wordless(self) -> bool:
        """True for marks alone; a picture such as a heart is as good as a word."""
        return not any(character.isalnum() or unicodedata.category(character) == "So" for character in self.text)

    @property
    def command(self) -> str:
        """The slash command that the message begins with, without the bot's name; empty for none."""
        first = next(iter(self.text.split(maxsplit=1)), "") if self.tap is None else ""
        return first.partition("@")[0].lower() if first.startswith("/") and first[1:2].isalpha() else ""

    @property
    def in_scope(self) -> bool:
        """True unless the model holds the message for something the bot is not there for."""
        intent = self.understanding.intent
        refused = self.understanding.oos >= self.understanding.thresholds.oos_reject
        return not refused and not (intent is not None and intent.label == OUT_OF_SCOPE)

    @property
    def likely(self) -> Score | None:
        """The best intent where it is certain enough and the bot knows it, however close the second is.

        A mere number has none, nor have marks such as "?" or "...", for which a model must name some intent as well.
        """
        intent = self.understanding.intent
        if intent is None or not self.in_scope or intent.label not in self.rules.intents:
            return None
        if self.speaks_unknown_language or self._is_number or self._is_wordless:
            return None
        return intent.top[0] if intent.confidence >= self.understanding.thresholds.intent_accept else None

    @property
    def accepted(self) -> Score | None:
        """The best intent where it is certain enough and well ahead of the second."""
        intent, likely = self.understanding.intent, self.likely
        if intent is None or likely is None:
            return None
        return likely if intent.margin >= self.understanding.thresholds.intent_margin else None

    @property
    def emotion(self) -> str:
        """The believed emotion, empty for none; a tapped button, a command, a picture or a mere number shows none."""
        emotion = self.understanding.emotion
        wordless = self.tap or self.command or not self.text.strip() or self._is_number
        if emotion is None or wordless or self.speaks_unknown_language:
            return ""
        return emotion.label if emotion.confidence >= self.understanding.thresholds.emotion_accept else ""

    @property
    def strong_emotion(self) -> str:
        """The believed emotion where it is strong, empty otherwise."""
        emotion = self.understanding.emotion
        strong = emotion is not None and emotion.confidence >= self.understanding.thresholds.emotion_strong
        return self.emotion if strong else ""

    @property
    def ranked_hits(self) -> list[Hit]:
        """The hits in the customer's language, or all of them where none of those is worth an offer; the best first."""
        own = [hit for hit in self.hits if hit.entry.lang == self.lang and hit.score >= self.hit_thresholds.suggest]
        return sorted(own or self.hits, key=lambda hit: -hit.score)

    @property
    def answering_hit(self) -> Hit | None:
        """The best hit where it is certain enough to answer."""
        best = next(iter(self.ranked_hits), None)
        return best if best and best.score >= self.hit_thresholds.accept else None

    def hit_from(self, share: float) -> Hit | None:
        """The best hit where it is certain enough.

        Args:
            share: how far between offering (0) and answering by itself (1), but at least more likely right than not.

        Returns:
            The hit.
        """
        best = next(iter(self.ranked_hits), None)
        thresholds = self.hit_thresholds
        enough = max(0.5, thresholds.suggest + share * (thresholds.accept - thresholds.suggest))
        return best if best and best.score >= min(enough, thresholds.accept) else None

    @property
    def nearer_hit(self) -> Hit | None:
        """The best hit where a question of its entry is nearer to the message than all that intents were learnt from.

        Such a message asks for what the entry tells rather than for what an intent says to every message.
        """
        best, familiar = next(iter(self.ranked_hits), None), self.understanding.familiar
        if best is None or familiar is None or best.similarity < familiar:
            return None
        return best if best.score >= max(NEARER, self.hit_thresholds.suggest) else None

    @property
    def answers_form(self) -> bool:
        """True unless the message is a yes or no button of another question than the form's."""
        return self.form is None or self._mark in ("", mark_of_form(self.form))

    @property
    def answers_nothing_open(self) -> bool:
        """True for a yes or no button of a question that is not asked any more."""
        offered = self._mark == mark_of_options(self.conversation.options)
        return bool(self._mark) and not offered and (self.form is None or not self.answers_form)

    @property
    def agrees(self) -> bool:
        """True where the message says yes."""
        settled = self._settled
        if settled is not None:
            return settled == "yes"
        # A model takes "one moment" for a yes as well.
        return self._is_read_as(self.rules.roles.affirm) and not doubts(self.text)

    @property
    def agrees_in_words(self) -> bool:
        """True where the message says yes by a tap or begins with a word of agreement, whatever a model reads in it.

        A button without a mark does not count: nobody knows what it was shown for.
        """
        settled = self._settled
        if self.kind is ContentKind.BUTTON and self.tap and not self.tap.value:
            return False
        return settled == "yes" if settled is not None else says_yes(self.text, self.rules.words.yes)

    @property
    def denies(self) -> bool:
        """True where the message says no."""
        settled = self._settled
        return settled == "no" if settled is not None else self._is_read_as(self.rules.roles.deny)

    @property
    def refuses(self) -> bool:
        """True where the message says no or begins with a word of refusal."""
        return self.denies or (self._settled is None and says_no(self.text, self.rules.words.no))

    @property
    def cancels(self) -> bool:
        """True where the message is a word that ends a form."""
        return self._settled == "cancel"

    @property
    def _mark(self) -> str:
        """The mark of the question that a tapped yes or no stood under, empty where it has none."""
        return self.tap.value if self.tap and self.tap.verb in ("yes", "no") else ""

    @property
    def _settled(self) -> str | None:
        """What a tap, a sign or a word from the bot's lists says, None where the message is none of these."""
        if self.tap:
            return self.tap.verb
        if sign := meaning_of_sign(self.text):
            return sign
        said, words = plain(self.text), self.rules.words
        meanings = {"yes": words.yes, "no": words.no, "cancel": words.cancel}
        return next((meaning for meaning, known in meanings.items() if said in known), None)

    def _is_read_as(self, role: str) -> bool:
        accepted = self.accepted
        return bool(role) and accepted is not None and accepted.label == role
