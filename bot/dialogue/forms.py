"""Forms: reading values out of messages and moving from slot to slot."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from bot.alerts import named, without
from bot.dialogue.assent import doubts, means_another_order, puts_off
from bot.domain.conversation import FormState
from bot.domain.rules import CONFIRM, Choice, FormSpec, Slot, SlotType
from nlu.types import Entity

_WORD = r"(?u:[^\W\u3400-\u9fff])"  # Han may stand beside an address: Chinese has no spaces
_EMAIL = re.compile(
    rf"(?<![.+-])(?<!{_WORD})[a-z0-9][\w.+-]{{0,63}}@[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}})*\.[a-z]{{2,24}}"
    rf"(?!-|\.?{_WORD})",
    re.IGNORECASE | re.ASCII,
)
_PHONE = re.compile(r"(?<![0-9])\+?(?:[0-9][ ()./-]{0,2}){6,14}[0-9](?![0-9])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = re.compile(r"[A-Z]{3} [0-9]+(?:\.[0-9]+)?")
_NAMES_WHAT = re.compile(r"(?:\b(?:is|be)|['\u2019]s|[是为:：])[\s.。!！]*$", re.IGNORECASE)
_FEW_WORDS = 5
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


class Outcome(StrEnum):
    """Where a form stands after a message."""

    ASK = "ask"
    RETRY = "retry"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FormStep:
    """One move of a form.

    Attributes:
        outcome: where it stands.
        state: the form's state; after `DONE` and `FAILED` its last one.
        template: what asks next, empty after `DONE` and `FAILED`.
        lead: a template said before it, empty for none.
        corrects: True where it replaces something that was given before.
    """

    outcome: Outcome
    state: FormState
    template: str = ""
    lead: str = ""
    corrects: bool = False


def plain(text: str) -> str:
    """A short message without case, outer punctuation and width variants, for comparing with lists of words."""
    return _EDGES.sub("", " ".join(unicodedata.normalize("NFKC", text).casefold().split()))


def find_values(slot: Slot, text: str, entities: Sequence[Entity] = ()) -> tuple[str, ...]:
    """Values that a message names unmistakably, in order, each once; free text never does.

    Args:
        slot: what is looked for.
        text: the message.
        entities: entities that the model or a pattern found in it.

    Returns:
        Normalised values.
    """
    named = [e.value or e.text for e in entities if slot.entity and e.type == slot.entity]
    if slot.type is SlotType.TEXT:
        found = [value for name in named if (value := _free_text(slot, name))]
    else:
        # A day or a sum has too many spellings to be looked for here: what reads the message has found it.
        sources = named if slot.type in (SlotType.DATE, SlotType.AMOUNT) else [*named, text]
        found = [value for source in sources for value in _recognise(slot, source)]
    return tuple(dict.fromkeys(found))


def read_answer(slot: Slot, text: str, entities: Sequence[Entity] = ()) -> str | None:
    """The value in a message that answers the slot's question, or None where it does not answer it."""
    found = find_values(slot, text, entities) if slot.type is not SlotType.TEXT else ()
    if found:
        return found[0]
    return _free_text(slot, text) if slot.type is SlotType.TEXT else None


def residue(slot: Slot, text: str, entities: Sequence[Entity] = ()) -> int:
    """How much a message says besides the value itself: words, a Chinese character counting as half of one."""
    return _words(without_values(slot, text, entities))


def without_values(slot: Slot, text: str, entities: Sequence[Entity]) -> str:
    """A message without the values that it names for a slot."""
    rest = unicodedata.normalize("NFKC", text)
    match slot.type:
        case SlotType.ORDER_NUMBER:
            return _order_pattern(slot.prefix, slot.digits).sub(" ", rest)
        case SlotType.EMAIL:
            return _EMAIL.sub(" ", rest)
        case SlotType.CHOICE:
            return without(rest, (wording for choice in slot.choices for wording in _wordings(choice)))
        case _:
            for entity in entities:
                rest = rest.replace(entity.text, " ") if slot.entity and entity.type == slot.entity else rest
            return rest


def prefill(spec: FormSpec, text: str, entities: Sequence[Entity], known: Mapping[str, str]) -> dict[str, str]:
    """What is known before the first question.

    Args:
        spec: the form.
        text: the message that starts it.
        entities: entities in that message.
        known: values from before, by slot name; the message goes before them.

    Returns:
        Valid values by slot name.
    """
    slots: dict[str, str] = {}
    for slot in spec.slots:
        found = find_values(slot, text, entities) or find_values(slot, known.get(slot.name, ""))
        if found:
            slots[slot.name] = found[0]
    return slots


def begin(spec: FormSpec, intent: str, slots: Mapping[str, str]) -> FormStep:
    """Starts a form with what is known already."""
    return proceed(spec, FormState(spec.name, dict(slots), intent=intent))


def proceed(spec: FormSpec, state: FormState) -> FormStep:
    """Asks for the first slot that is missing, then for confirmation, then is done."""
    missing = next((slot for slot in spec.slots if slot.name not in state.slots), None)
    if missing:
        return FormStep(Outcome.ASK, replace(state, asking=missing.name, attempts=0), missing.prompt)
    if spec.confirm:
        return FormStep(Outcome.ASK, replace(state, asking=CONFIRM, attempts=0), spec.confirm)
    return FormStep(Outcome.DONE, state)


def answer(
    spec: FormSpec,
    state: FormState,
    text: str,
    entities: Sequence[Entity],
    *,
    agrees: bool,
    denies: bool,
    refuses: bool = False,
    wanted: str = "",
) -> FormStep | None:
    """Takes a message as the answer to what the form asked.

    Args:
        spec: the form.
        state: how it stands.
        text: the message.
        entities: entities in it.
        agrees: True where it says yes.
        denies: True where it says no.
        refuses: True where it says no or begins with a word of refusal.
        wanted: what a message that says no wants instead.

    Returns:
        The next step, or None where the message does not answer the question.
    """
    slot = spec.slot(state.asking)
    if (refuses or denies) and means_another_order(text) and (again := _another_order(spec, state, text, entities)):
        return again
    if slot is None:
        return _confirmation(spec, state, text, entities, agrees=agrees, denies=denies or refuses, wanted=wanted)
    changed = _changed(spec, state, slot, text, entities, refuses=refuses)
    no_words = slot.type is SlotType.TEXT and (agrees or denies or changed or puts_off(text))
    value = None if no_words else read_answer(slot, text, entities)
    if value is None and not changed:
        return None
    others = {s.name: v[0] for s in spec.slots if s.name not in state.slots and (v := find_values(s, text, entities))}
    answered = {} if value is None else {slot.name: value}
    step = proceed(spec, replace(state, slots={**state.slots, **others, **changed, **answered}))
    return replace(step, corrects=bool(changed))


def retry(spec: FormSpec, state: FormState) -> FormStep:
    """Asks again after a message that did not answer; gives up after the form's number of attempts."""
    tried = replace(state, attempts=state.attempts + 1)
    if tried.attempts >= spec.attempts:
        return FormStep(Outcome.FAILED, tried)
    slot = spec.slot(state.asking)
    return FormStep(Outcome.RETRY, tried, slot.invalid if slot else spec.confirm)


def question(spec: FormSpec, state: FormState) -> str:
    """The template of the question that waits for an answer."""
    slot = spec.slot(state.asking)
    return slot.prompt if slot else spec.confirm


def _changed(
    spec: FormSpec, state: FormState, asked: Slot, text: str, entities: Sequence[Entity], *, refuses: bool
) -> dict[str, str]:
    """Other values for what was given before, in a message that refuses or says no more than such a value."""
    changed = {}
    for slot in spec.slots:
        if slot.type in (SlotType.TEXT, asked.type) or slot.name not in state.slots:
            continue
        fresh = [value for value in find_values(slot, text, entities) if value != state.slots[slot.name]]
        if fresh and (refuses or is_mere_value(slot, text, entities)):
            changed[slot.name] = fresh[-1]
    return changed


def _another_order(spec: FormSpec, state: FormState, text: str, entities: Sequence[Entity]) -> FormStep | None:
    """Asks for the order number anew, where one was given and the message names none."""
    given = next((s for s in spec.slots if s.type is SlotType.ORDER_NUMBER and s.name in state.slots), None)
    if given is None or find_values(given, text, entities):
        return None
    kept = {name: value for name, value in state.slots.items() if name != given.name}
    return replace(proceed(spec, replace(state, slots=kept)), lead="form_again", corrects=True)


def is_mere_value(slot: Slot, text: str, entities: Sequence[Entity]) -> bool:
    """True for a value alone, or after a few words that name it: "the order number is FD20481937"."""
    rest = without_values(slot, text, entities)
    return not _words(rest) or (_words(rest) <= _FEW_WORDS and bool(_NAMES_WHAT.search(rest)))


def _words(text: str) -> int:
    words = re.findall(r"[a-z']+", text, re.IGNORECASE)
    han = re.findall(r"[\u3400-\u9fff]", text)
    return len(words) + (len(han) + 1) // 2


def _confirmation(
    spec: FormSpec,
    state: FormState,
    text: str,
    entities: Sequence[Entity],
    *,
    agrees: bool,
    denies: bool,
    wanted: str,
) -> FormStep | None:
    changed = {}
    repeated = False
    for slot in spec.slots:
        if slot.type is SlotType.TEXT:
            continue
        found = find_values(slot, text, entities)
        fresh = [value for value in found if value != state.slots.get(slot.name)]
        if fresh:
            changed[slot.name] = fresh[-1]
        # A value among other words may stand in a question, or in "not this one".
        repeated = repeated or (bool(found) and not residue(slot, text, entities))
    texts = [slot for slot in spec.slots if slot.type is SlotType.TEXT]
    if denies and not changed and len(texts) == 1 and (value := _free_text(texts[0], wanted)):
        changed[texts[0].name] = value
    if changed:
        return proceed(spec, replace(state, slots={**state.slots, **changed}))
    if denies:
        again = proceed(spec, replace(state, slots={}))
        return replace(again, lead="form_again")
    if agrees or repeated:
        return FormStep(Outcome.DONE, state)
    return None


def _wordings(choice: Choice) -> tuple[str, ...]:
    return (*(word for words in choice.words.values() for word in words), choice.value)


def _chosen(slot: Slot, text: str) -> list[str]:
    """The choice that a message is, or the only one that it names without asking about it or refusing it."""
    said = plain(text)
    whole = [choice.value for choice in slot.choices if said in set(map(plain, _wordings(choice)))]
    if whole or doubts(text):
        return whole
    inside = [choice.value for choice in slot.choices if named(text, _wordings(choice))]
    return inside if len(inside) == 1 else []


def _recognise(slot: Slot, text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text)
    match slot.type:
        case SlotType.ORDER_NUMBER:
            digits = [re.sub(r"[^0-9]", "", m[0]) for m in _order_pattern(slot.prefix, slot.digits).finditer(folded)]
            return [slot.prefix + number for number in digits]
        case SlotType.EMAIL:
            return [m[0].lower() for m in _EMAIL.finditer(folded)]
        case SlotType.PHONE:
            return [re.sub(r"[^0-9+]", "", m[0]) for m in _PHONE.finditer(folded)]
        case SlotType.CHOICE:
            return _chosen(slot, text)
        case SlotType.DATE:
            return [text] if _DAY.fullmatch(text) else []
        case SlotType.AMOUNT:
            return [text] if _AMOUNT.fullmatch(text) else []
        case SlotType.TEXT:
            return []


def _free_text(slot: Slot, text: str) -> str | None:
    value = " ".join(text.split())
    if not value or len(value) > slot.max_length:
        return None
    return value if not slot.pattern or re.fullmatch(slot.pattern, value) else None


@cache
def _order_pattern(prefix: str, digits: int) -> re.Pattern[str]:
    letters = r"[\s._-]?".join(re.escape(letter) for letter in prefix)
    named = rf"(?<![A-Za-z0-9]){letters}[\s#:._-]{{0,3}}(?:[0-9][ ._-]?){{{digits - 1}}}[0-9](?![0-9])"
    bare = rf"(?<![A-Za-z0-9+])[0-9]{{{digits}}}(?![A-Za-z0-9])"
    half = digits // 2
    split = rf"(?<![A-Za-z0-9+])(?<![0-9][ .-])[0-9]{{{half}}}[ .-][0-9]{{{digits - half}}}(?![ .-]?[0-9])"
    options = [named, bare, split] if prefix else [bare, split]
    return re.compile("|".join(options), re.IGNORECASE)
