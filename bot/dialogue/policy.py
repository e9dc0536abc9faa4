"""How to answer a message: a list of rules, the first that has something to say decides.

Everything here is pure: no input or output, no clock, no randomness. Scores never decide by themselves; the thresholds
that came with the release do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.alerts import heard, named
from bot.dialogue import forms
from bot.dialogue.assent import instead
from bot.dialogue.context import joins_only
from bot.dialogue.moves import (
    OFFER_HUMAN,
    act_on,
    ask_back,
    ask_privately,
    candidate_intents,
    choose,
    go_on,
    hand_over,
    known_answer,
    missed,
    say,
    suggested_entries,
)
from bot.dialogue.scene import SPOKEN, Scene
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.messages import ContentKind
from bot.domain.rules import CONFIRM, BotRules, Priority, SlotType
from nlu.types import Understanding
from retrieval.types import Hit, HitThresholds

AGREED_TO_SEVERAL = "yes to several options"
"""The reason for asking back where the customer said yes without saying to what."""

ASIDE_WORDS = 3
"""An order number with more words than this around it may be a new wish rather than an answer."""


def decide(
    understanding: Understanding,
    conversation: Conversation,
    hits: Sequence[Hit],
    hit_thresholds: HitThresholds,
    rules: BotRules,
    kind: ContentKind = ContentKind.TEXT,
    said: str | None = None,
) -> Decision:
    """Decides how to answer one message.

    Args:
        understanding: the model's reading of it.
        conversation: the state before it.
        hits: FAQ hits for it, the best first.
        hit_thresholds: the thresholds that came with the FAQ index.
        rules: the bot's rules.
        kind: what the message is made of.
        said: the message's own text or the tapped button's value; None where `understanding.text` is just that.

    Returns:
        The decision, with the language to answer in and the believed emotion.
    """
    words = understanding.text if said is None else said
    scene = Scene(understanding, conversation, hits, hit_thresholds, rules, kind, words)
    decisions = (decision for rule in RULES if (decision := rule(scene)) is not None)
    decision = next(decisions, None) or missed(scene, "no intent, no FAQ entry and nothing to suggest")
    told = bool(decision.escalate) or conversation.blocked
    if scene.waiting and not told and scene.strong_emotion in rules.escalation.strong_emotions:
        hurry = f"strong {scene.strong_emotion} while waiting"
        decision = replace(decision, escalate=hurry, priority=Priority.HIGH)
    return replace(decision, lang=decision.lang or scene.lang, emotion=scene.emotion)


def held_by_agent(scene: Scene) -> Decision | None:
    """An agent holds the conversation: the bot keeps quiet, but for what customers may have of it at any time."""
    if scene.conversation.status is not Status.AGENT or _is_personal(scene):
        return None
    return Decision(DecisionKind.SILENT, "an agent holds the conversation", form_state=scene.form)


def blocked(scene: Scene) -> Decision | None:
    """A customer whom an agent has blocked gets no answers."""
    return Decision(DecisionKind.SILENT, "the customer is blocked") if scene.conversation.blocked else None


def alert(scene: Scene) -> Decision | None:
    """Words of danger or of a threat: a fixed text, and a human at once, also where one is on the way already.

    Where an agent holds the conversation, that agent hears of it; the customer still gets the text for danger, as its
    numbers may help sooner than anybody, but no word on a threat, which the agent answers. A block silences no danger.
    """
    alarm = heard(scene.text, scene.rules.escalation.alerts) if scene.tap is None else None
    if alarm is None or (scene.conversation.blocked and not alarm.is_danger):
        return None
    reason = f'{alarm.rule.name}: the customer said "{alarm.phrase}"'
    silent = scene.conversation.status is Status.AGENT and not alarm.is_danger
    kind, template = (DecisionKind.SILENT, "") if silent else (DecisionKind.HANDOVER, alarm.rule.template)
    return Decision(kind, reason, template=template, escalate=reason, priority=alarm.rule.priority)


def command(scene: Scene) -> Decision | None:
    """Slash commands; an unknown one gets help."""
    name = scene.command
    if not name:
        return None
    if linked := _deep_link(scene, name, scene.text.split(maxsplit=1)[1:]):
        return linked
    match scene.rules.commands.get(name):
        case "export" | "erase" if scene.conversation.is_group:
            return ask_privately(scene)
        case "human":
            return hand_over(scene, f"command {name}")
        case "cancel":
            return _cancel(scene, f"command {name}")
        case "language":
            options = tuple(f"lang:{lang}" for lang in scene.rules.languages)
            return replace(say(scene, "choose_language", f"command {name}"), options=options)
        case "export":
            return replace(say(scene, "export_ready", f"command {name}"), personal="export")
        case "erase":
            return say(scene, "erase_ask", f"command {name}")
        case None:
            return say(scene, "help", "unknown command")
        case template:
            return say(scene, template, f"command {name}")


def not_words(scene: Scene) -> Decision | None:
    """Photos, stickers and the like without a caption: an agent who is on the way sees them, the bot does not."""
    if scene.kind in SPOKEN or scene.text.strip():
        return None
    template = "handover_waiting" if scene.waiting else f"got_{scene.kind.value}"
    return say(scene, template, f"a {scene.kind.value} without words")


def nothing_said(scene: Scene) -> Decision | None:
    """A message without a visible character."""
    said = scene.understanding.text.strip() if scene.tap is None else scene.text
    return None if said else say(scene, "empty", "nothing was said")


def too_much_said(scene: Scene) -> Decision | None:
    """A message longer than the bot reads."""
    limit = scene.rules.max_characters
    return say(scene, "too_long", f"longer than {limit} characters") if len(scene.text) > limit else None


def tapped_button(scene: Scene) -> Decision | None:
    """Buttons that stand for an intent, an FAQ entry or a person; yes and no depend on what was asked."""
    if scene.tap is None or scene.tap.verb in ("yes", "no"):
        return None
    return choose(scene, f"{scene.tap.verb}:{scene.tap.value}")


def earlier_question(scene: Scene) -> Decision | None:
    """A yes or no button of a question that is closed: it confirms nothing, and what is asked now stays open."""
    if not scene.answers_nothing_open:
        return None
    reason = "the tapped button belongs to an earlier question"
    return replace(say(scene, "earlier_question", reason), options=scene.conversation.options)


def wish_for_human(scene: Scene) -> Decision | None:
    """An explicit wish for a person."""
    role, likely = scene.rules.roles.human, scene.likely
    if scene.tap is None and forms.plain(scene.text) in scene.rules.words.human:
        return hand_over(scene, "the customer asked for a person")
    if scene.tap or not role or likely is None or likely.label != role:
        return None
    template = scene.rules.intents[role].template
    return hand_over(scene, f"the customer asked for a person ({likely.confidence:.2f})", template, role)


def negative_emotion(scene: Scene) -> Decision | None:
    """One strong showing of a bad mood, or several lesser ones, unless a human is on the way already."""
    escalation = scene.rules.escalation
    if scene.waiting:
        return None
    if scene.strong_emotion in escalation.strong_emotions:
        return hand_over(scene, f"strong {scene.strong_emotion}")
    if scene.emotion not in escalation.repeated_emotions:
        return None
    recent = (*scene.conversation.moods, scene.emotion)[-escalation.within :]
    showings = [mood for mood in recent if mood in escalation.repeated_emotions]
    if len(showings) < escalation.times:
        return None
    return hand_over(scene, f"repeated {scene.emotion} ({len(showings)} of the last {len(recent)} turns)")


def active_form(scene: Scene) -> Decision | None:
    """A form being filled: an answer moves it on, another question is answered first, the rest is asked again."""
    state = scene.form
    if state is None or not scene.answers_form:
        return None
    spec = scene.rules.forms[state.form]
    if scene.cancels:
        return _cancel(scene, f"form {spec.name} cancelled by the customer")
    step = forms.answer(
        spec,
        state,
        scene.text,
        scene.understanding.entities,
        agrees=scene.agrees_in_words if _is_binding(scene, state) else scene.agrees,
        denies=scene.denies,
        refuses=scene.refuses,
        wanted=instead(scene.text, scene.rules.words.no),
    )
    aside = _aside(scene, state)
    if step and (step.corrects or not (aside and _is_new_wish(scene, state, aside))):
        return go_on(scene, step, f"form {spec.name}: {state.asking} answered")
    if scene.denies:
        return _cancel(scene, f"form {spec.name}: no answer to {state.asking} wanted")
    return aside or go_on(scene, forms.retry(spec, state), f"form {spec.name}: no answer to {state.asking}")


def pending_offer(scene: Scene) -> Decision | None:
    """A typed answer to a clarifying question: its number, its title, yes or no; and yes or no buttons at any time."""
    options = scene.conversation.options
    said = forms.plain(scene.text)
    if scene.tap is None:
        for number, option in enumerate(options, start=1):
            if said == str(number) or said in _titles(scene, option):
                return choose(scene, option)
    if not (scene.agrees or scene.denies):
        return None
    if scene.agrees and options:
        offered = [(1.0, option) for option in options]
        return choose(scene, options[0]) if len(options) == 1 else ask_back(scene, offered, AGREED_TO_SEVERAL)
    if scene.denies and options and options != (OFFER_HUMAN,):
        return missed(scene, "none of the offered options")
    role = scene.rules.roles.affirm if scene.agrees else scene.rules.roles.deny
    return choose(scene, f"intent:{role}") if role or scene.tap else None


def same_again(scene: Scene) -> Decision | None:
    """A mere value that the form filled last takes: the same wish with that value.

    As in "And FD20481938?", or "No, the order number is FD20481938" once the form is done.
    """
    rule = scene.rules.intents.get(scene.conversation.last_intent)
    spec = scene.rules.forms.get(rule.form) if rule else None
    if rule is None or spec is None or not spec.confirm or scene.tap:
        return None
    entities = scene.understanding.entities
    named = [slot for slot in spec.slots if slot.entity and forms.find_values(slot, scene.text, entities)]
    if not any(
        forms.is_mere_value(slot, scene.text, entities) or joins_only(forms.without_values(slot, scene.text, entities))
        for slot in named
    ):
        return None
    return act_on(scene, rule.name, f"{rule.name} again, with another value")


def unwanted(scene: Scene) -> Decision | None:
    """Words that nobody should have to read, in a message that asks nothing the bot knows: a request to stay polite."""
    if scene.tap is not None or not named(scene.text, scene.rules.unwanted):
        return None
    answer = known_answer(scene)
    known = answer is not None and answer.kind is not DecisionKind.SMALLTALK
    return None if known else say(scene, "unwanted", "unwanted words")


def unknown_language(scene: Scene) -> Decision | None:
    """Words of a language that the bot was not made for."""
    if not scene.speaks_unknown_language:
        return None
    return missed(scene, f"language {scene.understanding.lang} is not configured", "unknown_language")


def out_of_scope(scene: Scene) -> Decision | None:
    """Something the bot is not there for: only the FAQ may still know it."""
    if scene.in_scope:
        return None
    reason = f"out of scope ({scene.understanding.oos:.2f})"
    return known_answer(scene) or ask_back(scene, suggested_entries(scene), reason) or missed(scene, reason)


def certain_answer(scene: Scene) -> Decision | None:
    """An accepted intent's route, or an FAQ entry that is more specific."""
    return known_answer(scene)


def doubtful_answer(scene: Scene) -> Decision | None:
    """Intents too close to each other or not certain enough, and FAQ entries worth a question."""
    intent = scene.understanding.intent
    reason = "no intent is certain enough" if scene.likely is None else "two intents are close"
    detail = f"{reason} ({intent.label} {intent.confidence:.2f})" if intent else reason
    return ask_back(scene, candidate_intents(scene) + suggested_entries(scene), detail)


Rule = Callable[[Scene], Decision | None]

RULES: tuple[Rule, ...] = (
    alert,
    held_by_agent,
    blocked,
    command,
    not_words,
    nothing_said,
    too_much_said,
    tapped_button,
    earlier_question,
    wish_for_human,
    negative_emotion,
    active_form,
    same_again,
    pending_offer,
    unwanted,
    unknown_language,
    out_of_scope,
    certain_answer,
    doubtful_answer,
)
"""The rules in their order; where none decides, the turn is a miss."""


def _deep_link(scene: Scene, name: str, payload: Sequence[str]) -> Decision | None:
    """A link on a page that leads straight to what it is about: `/start intent_<name>`, or `/start order_<number>`.

    The number is read like any other that stands in a message.
    """
    verb, _, about = payload[0].partition("_") if payload else ("", "", "")
    intent = scene.rules.roles.order if verb == "order" else about if verb == "intent" else ""
    if name != "/start" or intent not in scene.rules.intents:
        return None
    return act_on(scene, intent, f"a link to {intent}")


def _is_personal(scene: Scene) -> bool:
    """True where a customer rates, chooses a language, or wants their data or to have them removed."""
    if scene.tap:
        return scene.tap.verb in ("rate", "lang", "erase")
    return scene.rules.commands.get(scene.command) in ("language", "privacy", "export", "erase")


def _cancel(scene: Scene, reason: str) -> Decision:
    template = "form_cancelled" if scene.form else "nothing_to_cancel"
    return replace(say(scene, template, reason), form_state=None)


def _aside(scene: Scene, state: FormState) -> Decision | None:
    roles, accepted = scene.rules.roles, scene.accepted
    if scene.tap or (accepted and accepted.label in (state.intent, roles.affirm, roles.deny)):
        return None
    decision = known_answer(scene)
    return None if decision and decision.kind is DecisionKind.CLARIFY else decision


def _is_binding(scene: Scene, state: FormState) -> bool:
    """True where a yes makes the company's own API change something, so that a misreading could not be undone."""
    action = scene.rules.actions.get(scene.rules.intents[state.intent].action)
    return state.asking == CONFIRM and action is not None and action.method != "GET"


def _is_new_wish(scene: Scene, state: FormState, aside: Decision) -> bool:
    spec = scene.rules.forms[state.form]
    slot = spec.slot(state.asking) or spec.slots[0]
    if slot.type is SlotType.TEXT and state.asking == slot.name:
        return scene.text.rstrip().endswith(("?", "？"))
    return (
        aside.kind is DecisionKind.FORM and forms.residue(slot, scene.text, scene.understanding.entities) > ASIDE_WORDS
    )


def _titles(scene: Scene, option: str) -> set[str]:
    verb, _, name = option.partition(":")
    rule = scene.rules.intents.get(name) if verb == "intent" else None
    return {forms.plain(title) for title in rule.titles.values()} if rule else set()
