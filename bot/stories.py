"""Stories: whole dialogues with what is expected of the bot, played over the real pipeline.

    stories:
      - story: A parcel is late
        lang: en
        steps:
          - user: My parcel is two days late
            bot: {form: order, asks: order_number}
          - user: FD20481937
            bot: {asks: confirm, says: FD20481937}
          - tap: "Yes"
            bot: {intent: delivery_late, status: waiting}

A text in place of the mapping stands for the kind, the intent, the template or the FAQ entry of the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.bot_files.yaml_values import Problems, Value, read_yaml
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import ContentKind, IncomingMessage
from bot.domain.ports import Clock
from bot.errors import InputError

_SAID = ("kind", "intent", "template", "faq", "form", "asks", "status", "lang", "emotion")
_LISTS = ("says", "never_says", "buttons")

Answer = Callable[[IncomingMessage], dict[str, Any]]
"""Answers a message of a conversation and gives its document."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a customer does, and what is expected then.

    Attributes:
        line: where it stands in the file.
        text: what is written, or the label of the button that is tapped.
        taps: True for a button.
        named: the kind, intent, template or FAQ entry, where only one word is given.
        expected: what single values have to be.
        lists: what replies and buttons have to have, or must not have.
    """

    line: int
    text: str
    taps: bool
    named: str
    expected: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Story:
    """A dialogue.

    Attributes:
        name: what it is about.
        file: the file's name.
        lang: the language that the channel names, empty for none.
        steps: in order; never empty.
    """

    name: str
    file: str
    lang: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A step that went otherwise.

    Attributes:
        story: the story's name.
        place: `file:line`.
        said: what the customer did.
        wanted: what was expected, such as `intent=invoice`.
        got: what came instead.
        replies: what the bot said.
    """

    story: str
    place: str
    said: str
    wanted: str
    got: str
    replies: tuple[str, ...]


def read_stories(paths: list[Path]) -> list[Story]:
    """Reads stories.

    Args:
        paths: YAML files.

    Returns:
        The stories in order.

    Raises:
        InputError: a file is wrong; every mistake is named with file, line, key and remedy.
    """
    problems = Problems()
    stories = [story for path in paths for story in _stories(read_yaml(path, problems))]
    mistakes = problems.texts()
    if mistakes:
        raise InputError("the stories have mistakes:" + "".join(f"\n  {mistake}" for mistake in mistakes))
    return stories


def play(story: Story, conversation: str, answer: Answer, log: ConversationLog, clock: Clock) -> Iterator[Mismatch]:
    """Plays a story in a conversation of its own.

    Args:
        story: the story.
        conversation: an id that is new.
        answer: answers a stored message.
        log: stores messages, and knows the conversation's state.
        clock: tells the time.

    Yields:
        What went otherwise than expected; the story goes on after it.
    """
    buttons: dict[str, str] = {}
    for number, step in enumerate(story.steps):
        place = f"{story.file}:{step.line}"
        if step.taps and step.text not in buttons:
            got = f"buttons {sorted(buttons)}"
            yield Mismatch(story.name, place, step.text, f"a button {step.text!r}", got, ())
            return
        text = buttons[step.text] if step.taps else step.text
        kind = ContentKind.BUTTON if step.taps else ContentKind.TEXT
        message = IncomingMessage(f"s{number}", conversation, text, clock.now(), kind, story.lang or None)
        log.accept(message)
        document = answer(message)
        replies = tuple(str(reply["text"]) for reply in document["replies"])
        offered = {button["label"]: button["value"] for reply in document["replies"] for button in reply["buttons"]}
        buttons |= offered
        found = _found(document, log, conversation)
        for wanted, got in _differences(step, found, "\n".join(replies), tuple(offered)):
            yield Mismatch(story.name, place, step.text, wanted, got, replies)


def _found(document: Mapping[str, Any], log: ConversationLog, conversation: str) -> dict[str, str]:
    decision, replies = document["decision"], document["replies"]
    snapshot = log.snapshot(conversation)
    state = snapshot[0] if snapshot else None
    found = {name: str(decision.get(name) or "") for name in ("kind", "intent", "template", "faq", "emotion")}
    form = state.form if state else None
    return found | {
        "form": form.form if form else "",
        "asks": form.asking if form else "",
        "status": state.status.value if state else "",
        "lang": replies[-1]["lang"] if replies else "",
    }


def _differences(
    step: Step, found: Mapping[str, str], said: str, offered: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    names = [found[name] for name in ("kind", "intent", "template", "faq")]
    if step.named and step.named not in names:
        yield step.named, " / ".join(name for name in names if name)
    for name, wanted in step.expected.items():
        if found[name] != wanted:
            yield f"{name}={wanted}", f"{name}={found[name]}"
    for text in step.lists.get("says", ()):
        if text not in said:
            yield f"says {text!r}", said
    for text in step.lists.get("never_says", ()):
        if text in said:
            yield f"never says {text!r}", said
    for label in step.lists.get("buttons", ()):
        if label not in offered:
            yield f"a button {label!r}", f"buttons {list(offered)}"


def _stories(top: Value) -> Iterator[Story]:
    if top.node is None:
        return
    for item in top.fields(("stories",))["stories"].items():
        fields = item.fields(("story", "steps"), ("lang",))
        steps = tuple(_step(value) for value in fields["steps"].items())
        if not steps and fields["steps"].node is not None:
            fields["steps"].complain("a story needs at least one step; add - user: …")
        yield Story(fields["story"].text(), top.file, fields["lang"].text(), steps)


def _step(value: Value) -> Step:
    fields = value.fields(optional=("user", "tap", "bot"))
    user, tap, bot = fields["user"], fields["tap"], fields["bot"]
    if (user.node is None) == (tap.node is None):
        value.complain("a step has either user (what is written) or tap (a button's label)")
    named, expected, lists = "", {}, {}
    if bot.is_mapping:
        wanted = bot.fields(optional=(*_SAID, *_LISTS))
        # An empty text is an expectation too: nothing is asked, no emotion is believed.
        expected = {name: str(wanted[name].scalar()) for name in _SAID if wanted[name].node is not None}
        lists = {name: wanted[name].texts_or_text() for name in _LISTS if wanted[name].node is not None}
    else:
        named = bot.text()
    line = value.node.start_mark.line + 1 if value.node is not None else 0
    return Step(line, tap.text() or user.text(), tap.node is not None, named, expected, lists)
