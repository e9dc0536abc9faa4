"""Decisions made anew: by the questions of a message one by one, or by what was asked before it.

As pure as the policy. When to look again is `bot.dialogue.second_look`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.dialogue.moves import known_answer
from bot.dialogue.scene import Scene
from bot.domain.conversation import Conversation
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.messages import ContentKind
from bot.domain.rules import BotRules
from nlu.types import Understanding
from retrieval.types import Hit, HitThresholds


def may_hold_several(decision: Decision) -> bool:
    """True where a message was answered, or not, by what it asks: then its questions may be answered one by one."""
    if decision.form_state is not None:
        return False
    if decision.kind is DecisionKind.TEMPLATE:
        return bool(decision.intent)
    given_up = decision.kind is DecisionKind.HANDOVER and decision.miss
    return given_up or decision.kind in (DecisionKind.FAQ, DecisionKind.CLARIFY)


def may_be_misread(decision: Decision, conversation: Conversation, rules: BotRules) -> bool:
    """True where a few words that continue something were taken for a wish, a mood or small talk of their own."""
    match decision.kind:
        case DecisionKind.SMALLTALK:
            return bool(decision.intent)
        case DecisionKind.FORM:
            return conversation.form is None and not decision.slots
        case DecisionKind.HANDOVER:
            return not decision.intent and decision.emotion in rules.escalation.bad_moods
        case _:
            return False


def follow_up(whole: Decision, entry: str, conversation: Conversation) -> Decision:
    """Answers a message by what was asked before it, where that tells what is meant.

    Args:
        whole: how the message would be answered by itself.
        entry: the FAQ entry that it means after that question, empty for none.
        conversation: the state before the message.

    Returns:
        An FAQ answer, or `whole`.
    """
    if not entry or entry == whole.faq:
        return whole
    reason = f"FAQ entry {entry} after {conversation.asked[:60]!r}; by itself: {whole.reason}"
    emotion = "" if whole.kind is DecisionKind.HANDOVER else whole.emotion
    return Decision(DecisionKind.FAQ, reason, faq=entry, lang=whole.lang, emotion=emotion, form_state=conversation.form)


def decide_each(
    whole: Decision,
    parts: Sequence[tuple[Understanding, Sequence[Hit]]],
    conversation: Conversation,
    hit_thresholds: HitThresholds,
    rules: BotRules,
) -> Decision:
    """Answers the questions of one message one by one.

    Args:
        whole: how the message was answered as a whole.
        parts: the reading of each question, and the FAQ hits for it.
        conversation: the state before the message.
        hit_thresholds: the thresholds that came with the FAQ index.
        rules: the bot's rules.

    Returns:
        One decision that holds all answers; `whole` unless each question has an answer of its own.
    """
    answers: dict[tuple[str, str], Decision] = {}
    for reading, hits in parts:
        scene = Scene(reading, conversation, hits, hit_thresholds, rules, ContentKind.TEXT, reading.text)
        answer = known_answer(scene) if scene.in_scope or scene.answering_hit else None
        if answer is None or answer.kind not in (DecisionKind.FAQ, DecisionKind.TEMPLATE):
            return whole
        answers.setdefault((answer.faq, answer.template), replace(answer, lang=whole.lang, emotion=whole.emotion))
    if len(answers) < len(parts):
        return whole
    first, *others = answers.values()
    reasons = "; ".join(answer.reason for answer in answers.values())
    return replace(first, reason=f"{len(answers)} questions: {reasons}", also=tuple(others))
