"""The moves a policy can make: answer an intent, quote the FAQ, go on with a form, ask back, hand over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from bot.dialogue import forms
from bot.dialogue.forms import FormStep, Outcome
from bot.dialogue.scene import Scene
from bot.dialogue.templates import shorten
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.rules import FormSpec, IntentRule, Priority, Route
from retrieval.types import FaqEntry, Hit

OPTION_LIMIT = 3
"""How many options a clarifying question offers at most."""

OPTION_FLOOR = 0.1
"""An intent less probable than this is never offered."""

HALF, MOST = 0.5, 0.8
"""How far between offering and answering by itself an FAQ entry has to be to go before a general template; the second
where the intent is next to certain, as short general questions are near to many entries."""

NEXT_TO_CERTAIN = 0.99
"""An intent's confidence from which on it is hardly ever wrong."""

_RATING = re.compile(r"([0-9]{1,9}):([1-5])")

OFFER_HUMAN = "human:"
"""The option that stands for a person."""


def say(scene: Scene, template: str, reason: str) -> Decision:
    """Renders a template; a form that is being filled stays open."""
    return Decision(DecisionKind.TEMPLATE, reason, template=template, form_state=scene.form)


def ask_privately(scene: Scene) -> Decision:
    """Declines to give or remove data in a group: it is everybody's there."""
    return say(scene, "ask_privately", "in a group the data is everybody's")


def act_on(scene: Scene, intent: str, reason: str) -> Decision:
    """Follows an intent's route."""
    rule = scene.rules.intents[intent]
    match rule.route:
        case Route.FORM:
            return start_form(scene, intent, reason)
        case Route.HANDOVER:
            return hand_over(scene, reason, rule.template, intent)
        case Route.SMALLTALK:
            kind = DecisionKind.SMALLTALK
        case Route.TEMPLATE | Route.FAQ:
            kind = DecisionKind.TEMPLATE
    return Decision(kind, reason, intent=intent, template=rule.template, form_state=scene.form)


def quote_faq(scene: Scene, entry: str, reason: str, intent: str = "") -> Decision:
    """Answers with an FAQ entry."""
    return Decision(DecisionKind.FAQ, reason, intent=intent, faq=entry, form_state=scene.form)


def related_entries(
    decision: Decision, others: Iterable[str], entries: Mapping[str, FaqEntry], limit: int
) -> tuple[str, ...]:
    """Chooses the questions that are offered under an answer.

    Args:
        decision: how the message is answered.
        others: ids of entries that have to do with the message or its answer, the best first.
        entries: FAQ entries by id.
        limit: how many to offer at most.

    Returns:
        Ids of entries in the language of the answer, none of which the message gets already.
    """
    if decision.faq and decision.faq not in entries:
        return ()
    lang = entries[decision.faq].lang if decision.faq else decision.lang
    told = {each.faq for each in (decision, *decision.also)}
    known = (entries[other] for other in dict.fromkeys(others) if other in entries and other not in told)
    return tuple(islice((entry.id for entry in known if entry.lang == lang), limit))


def speaks_in_general(decision: Decision) -> bool:
    """True for what an intent says to every message: its template, or a form's first question.

    The message may have asked for something more special, which an entry that is near to it answers.
    """
    if not decision.intent or decision.also:
        return False
    if decision.kind is DecisionKind.FORM:
        return decision.form_state is not None and not decision.form_state.slots
    return decision.kind is DecisionKind.TEMPLATE


def choice_reason(option: str) -> str:
    """The reason of a decision that does what the option of an intent or an FAQ entry stands for."""
    verb, _, value = option.partition(":")
    return f"the customer chose FAQ entry {value}" if verb == "faq" else f"the customer chose {value}"


def choose(scene: Scene, option: str) -> Decision:
    """Does what a button or an offered option stands for."""
    verb, _, value = option.partition(":")
    if verb == "human":
        return hand_over(scene, "the customer asked for a person")
    if verb == "faq" and value:
        return quote_faq(scene, value, choice_reason(option))
    if verb == "more" and value:
        return replace(quote_faq(scene, value, f"the customer asked for all of FAQ entry {value}"), whole=True)
    if verb == "lang" and value in scene.rules.languages:
        return replace(say(scene, "language_set", f"the customer chose the language {value}"), lang=value)
    if verb == "erase" and scene.conversation.is_group:
        return ask_privately(scene)
    if verb == "erase":
        erased = say(scene, "erased", "the customer had their data removed")
        return replace(erased, personal="erase", form_state=None)
    if verb == "rate" and (rated := _RATING.fullmatch(value)):
        stars = int(rated[2])
        return replace(say(scene, "rated", f"the customer gave {stars} of 5 stars"), rating=(int(rated[1]), stars))
    if verb == "intent" and value in scene.rules.intents:
        return act_on(scene, value, choice_reason(option))
    return missed(scene, "the tapped button stands for nothing that the bot still knows")


def known_answer(scene: Scene) -> Decision | None:
    """The answer where one is certain enough: an accepted intent's, or an FAQ entry's where that is more specific.

    A general template yields to an entry that is probably right, where its intent is next to certain to one that is
    more so; a form only to one that is certain, and not where the message names what the form asks for. Where the
    intent is less than that, both yield to an entry with a question nearer to the message than all that intents were
    learnt from.
    """
    likely, accepted = scene.likely, scene.accepted
    rule = scene.rules.intents[likely.label] if likely else None
    if accepted is None and likely and rule and rule.route is Route.SMALLTALK:
        accepted = likely
    hit = _better_hit(scene, rule)
    if accepted is None:
        if hit is None:
            return None
        return quote_faq(scene, hit.entry.id, f"FAQ entry {hit.entry.id} ({hit.score:.2f}), no intent accepted")
    rule = scene.rules.intents[accepted.label]
    if hit:
        reason = (
            f"FAQ entry {hit.entry.id} ({hit.score:.2f}) is more specific than {rule.name} ({accepted.confidence:.2f})"
        )
        return quote_faq(scene, hit.entry.id, reason, rule.name)
    if rule.route is Route.FAQ and (suggestions := suggested_entries(scene)):
        return ask_back(scene, suggestions, f"{rule.name} is for the FAQ, where no entry is certain")
    return act_on(scene, rule.name, f"intent {rule.name} ({accepted.confidence:.2f})")


def _better_hit(scene: Scene, rule: IntentRule | None) -> Hit | None:
    """The FAQ hit that goes before a likely intent's own way."""
    sure = scene.accepted is not None and scene.accepted.confidence >= NEXT_TO_CERTAIN
    nearer = None if sure else scene.nearer_hit
    if not scene.in_scope:
        return scene.answering_hit or (nearer and scene.hit_from(HALF))
    match rule.route if rule else None:
        case Route.HANDOVER | Route.SMALLTALK:
            return None
        case Route.FORM if rule:
            entities = {slot.entity for slot in scene.rules.forms[rule.form].slots}
            named = any(entity.type in entities for entity in scene.understanding.entities)
            return None if named else scene.answering_hit or nearer
        case _:
            return scene.hit_from(MOST if sure else HALF) or nearer


def candidate_intents(scene: Scene) -> list[tuple[float, str]]:
    """Intents worth offering, with their probabilities; small talk never is."""
    intent = scene.understanding.intent
    if intent is None or not scene.in_scope:
        return []
    rules = scene.rules.intents
    known = [score for score in intent.top if score.label in rules and rules[score.label].route is not Route.SMALLTALK]
    return [(score.confidence, f"intent:{score.label}") for score in known if score.confidence >= OPTION_FLOOR]


def suggested_entries(scene: Scene) -> list[tuple[float, str]]:
    """FAQ entries worth offering, with their scores."""
    hits = [hit for hit in scene.ranked_hits if hit.score >= scene.hit_thresholds.suggest]
    return [(hit.score, f"faq:{hit.entry.id}") for hit in hits]


def ask_back(scene: Scene, candidates: list[tuple[float, str]], reason: str) -> Decision | None:
    """Offers the best candidates as a clarifying question; None where there are none.

    Asked again and again it offers a person as well, and after that a human takes over.
    """
    best = sorted(candidates, key=lambda candidate: -candidate[0])
    options = tuple(dict.fromkeys(value for _, value in best))[:OPTION_LIMIT]
    if not options:
        return None
    asked, most = scene.conversation.asked_back + 1, scene.rules.escalation.misses
    if asked > most:
        return replace(hand_over(scene, f"asked back {most} times: {reason}"), miss=True)
    template = "clarify_one" if len(options) == 1 else "clarify"
    if asked == most and scene.rules.roles.human and not scene.waiting:
        options = (*[option for option in options if option != OFFER_HUMAN][: OPTION_LIMIT - 1], OFFER_HUMAN)
        template = "clarify_again"
    return Decision(DecisionKind.CLARIFY, reason, template=template, options=options, form_state=scene.form)


def missed(scene: Scene, reason: str, template: str = "fallback") -> Decision:
    """Owns up to not knowing; after too many such turns a human takes over."""
    escalation = scene.rules.escalation
    misses = scene.conversation.misses + 1
    if scene.waiting or misses >= escalation.misses:
        return replace(hand_over(scene, f"{misses} turns without an answer: {reason}"), miss=True)
    options: tuple[str, ...] = ()
    if scene.emotion in escalation.repeated_emotions:
        kind, template, options = DecisionKind.CLARIFY, "human_ask", (OFFER_HUMAN,)
    else:
        kind = DecisionKind.CLARIFY if template == "fallback" else DecisionKind.TEMPLATE
    return Decision(kind, reason, template=template, options=options, miss=True, form_state=scene.form)


def hand_over(scene: Scene, reason: str, template: str = "handover", intent: str = "") -> Decision:
    """Asks for a human; one that has been asked for already is not asked for again."""
    if scene.waiting:
        return Decision(
            DecisionKind.HANDOVER, f"{reason}; a human is on the way", intent=intent, template="handover_waiting"
        )
    moody = scene.emotion in scene.rules.escalation.bad_moods
    priority = Priority.HIGH if moody else Priority.NORMAL
    return Decision(DecisionKind.HANDOVER, reason, intent=intent, template=template, escalate=reason, priority=priority)


def start_form(scene: Scene, intent: str, reason: str) -> Decision:
    """Starts an intent's form with everything that is known already."""
    rule = scene.rules.intents[intent]
    spec = scene.rules.forms[rule.form]
    text = "" if scene.tap else scene.text
    slots = forms.prefill(spec, text, scene.understanding.entities, _known_before(scene, spec))
    step = forms.begin(spec, intent, slots)
    lead = rule.start if step.outcome is Outcome.ASK else ""
    return go_on(scene, FormStep(step.outcome, step.state, step.template, lead), reason)


def go_on(scene: Scene, step: FormStep, reason: str) -> Decision:
    """Turns a form's step into a decision."""
    state = step.state
    spec, rule = scene.rules.forms[state.form], scene.rules.intents[state.intent]
    if step.outcome is Outcome.FAILED:
        return hand_over(scene, f"no usable answer to {state.asking} of form {spec.name}", "form_failed", rule.name)
    done = step.outcome is Outcome.DONE
    filled = ", ".join(f"{name}={value}" for name, value in state.slots.items())
    return Decision(
        DecisionKind.FORM,
        reason,
        intent=rule.name,
        template=(spec.done or rule.template) if done else step.template,
        form=spec.name,
        lead=step.lead,
        slots=dict(state.slots),
        form_state=None if done else state,
        escalate=shorten(f"{rule.name}: {filled}") if done and rule.escalate else "",
        action=rule.action if done else "",
    )


def _known_before(scene: Scene, spec: FormSpec) -> dict[str, str]:
    noted = scene.conversation.noted if spec.confirm else {}
    known = {slot.name: noted[slot.entity] for slot in spec.slots if slot.entity in noted}
    return known | (scene.form.slots if scene.form else {})
