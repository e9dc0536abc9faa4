"""Transcripts of past conversations into unlabelled texts and proposals for the FAQ, personal data masked."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from nlu.example_schema import MAX_TEXT, Example, parse_example
from nlu.records import describe, read_records
from nlu.text import HAN, detect_language, normalise
from retrieval.types import FaqEntry
from training.import_known import KnownFaq, Source, free_id
from training.import_names import text_columns, with_standard_names
from training.import_report import ExampleProblems, Report
from training.privacy import mask

NAMES = {
    "conversation": ("conversation_id", "session", "session_id", "会话", "会话id"),
    "at": ("time", "timestamp", "date", "created_at", "时间"),
    "role": ("speaker", "sender", "author", "角色", "发送者"),
    "text": ("message", "content", "utterance", "内容", "消息", "文本"),
}
"""The fields of a turn, with what they are called elsewhere."""

ROLES = {
    "customer": ("user", "client", "visitor", "客户", "用户", "顾客", "访客", "买家"),
    "agent": ("operator", "staff", "support", "human", "客服", "人工", "坐席", "卖家"),
    "bot": ("assistant", "system", "机器人", "系统"),
}
"""Who speaks, with what they are called elsewhere."""

QUESTION_WORDS = 4
"""A question with as many words (a Han character counts as one) is proposed even when it was asked once."""

ANSWER_WORDS = 8
"""An answer with as many words is worth proposing even when it was given once."""

OFTEN = 2
"""A question of as many conversations is proposed however short it is."""

_WORD = re.compile(f"[{HAN}]|[^\\W{HAN}]+")


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing somebody said.

    Attributes:
        path: the file it stands in.
        line: its line.
        conversation: what it belongs to.
        at: when it was said, with a time zone.
        role: `customer`, `agent` or `bot`.
        text: what was said, personal data masked.
    """

    path: Path
    line: int
    conversation: str
    at: datetime
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question with the answer that agents gave to it.

    Attributes:
        entry: the proposed FAQ entry.
        asked: in how many conversations it was asked.
    """

    entry: FaqEntry
    asked: int


def read_turns(paths: Sequence[Path], report: Report) -> list[Turn]:
    """Reads transcripts and masks personal data.

    Args:
        paths: JSON lines, CSV or YAML files of the contract's format, or with the usual other names.
        report: is told of every change and refusal.

    Returns:
        The turns, conversation by conversation in the order of their times.
    """
    problems = ExampleProblems(report)
    turns: list[Turn] = []
    for path in paths:
        before = len(report.refused), len(turns)
        for line, record in read_records(path, problems, text_columns(path, NAMES, {})):
            turn = _turn(path, line, with_standard_names(path, line, record, NAMES, report), report)
            if turn:
                turns.append(turn)
        if before == (len(report.refused), len(turns)):
            report.refuse(path, None, "", "the file is empty; expected at least one turn")
    return sorted(turns, key=lambda turn: (turn.conversation, turn.at))


def customer_texts(turns: Iterable[Turn], languages: Sequence[str], report: Report) -> list[Example]:
    """What customers wrote, as texts without labels.

    Args:
        turns: the turns.
        languages: languages on offer.
        report: is told which texts were left out.

    Returns:
        Every text once.
    """
    seen: dict[str, str] = {}
    texts = []
    for turn in turns:
        if turn.role != "customer":
            continue
        place = f"{turn.path}:{turn.line}"
        first = seen.setdefault(normalise(turn.text).casefold(), place)
        if first != place:
            report.leave_out(turn.path, turn.line, "text", f"the same text is already in {first}")
            continue
        texts.append(Example(turn.text, lang=detect_language(turn.text, languages) or "", source="transcript"))
    return texts


def propose_faq(turns: Iterable[Turn], languages: Sequence[str]) -> list[Candidate]:
    """Finds questions that an agent answered directly and that are frequent or long enough.

    Args:
        turns: the turns, conversation by conversation in order.
        languages: languages on offer.

    Returns:
        The candidates for review, the most frequent first; each with the answer given most often.
    """
    questions: dict[str, str] = {}
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    askers: dict[str, set[str]] = defaultdict(set)
    for conversation, question, answer in _answered(turns):
        key = normalise(question).casefold()
        questions.setdefault(key, question)
        answers[key][answer] += 1
        askers[key].add(conversation)
    known, found = KnownFaq(), []
    for key, question in questions.items():
        answer = max(answers[key], key=lambda text: (answers[key][text], len(text)))
        lang = detect_language(question, languages)
        if lang and (len(askers[key]) >= OFTEN or _long_enough(question, answer)):
            entry = FaqEntry(free_id(question, lang, known), question, answer, lang, tags=("candidate",))
            known.add(entry, Source(Path("the candidates"), None))
            found.append(Candidate(entry, len(askers[key])))
    return sorted(found, key=lambda candidate: -candidate.asked)


def candidate_lines(candidates: Iterable[Candidate]) -> bytes:
    """The content of a file of candidates: a FAQ file that also tells how often each was asked."""
    documents = (asdict(candidate.entry) | {"asked": candidate.asked} for candidate in candidates)
    return b"".join(json.dumps(document, ensure_ascii=False).encode() + b"\n" for document in documents)


def _turn(path: Path, line: int, fields: Mapping[str, object], report: Report) -> Turn | None:
    values = {name: fields.get(name) for name in NAMES}
    if isinstance(values["conversation"], int) and not isinstance(values["conversation"], bool):
        values["conversation"] = str(values["conversation"])
    if isinstance(values["at"], datetime):
        values["at"] = values["at"].isoformat()
    texts = {name: value.strip() for name, value in values.items() if isinstance(value, str) and value.strip()}
    for name in NAMES.keys() - texts.keys():
        report.refuse(path, line, name, f"expected a text that is not empty, got {describe(values[name])}")
    at = _moment(texts.get("at"))
    if "at" in texts and at is None:
        shown = describe(texts["at"])
        report.refuse(path, line, "at", f"expected ISO 8601 such as 2025-03-01T09:30:00Z, got {shown}")
    role = _role(texts.get("role"))
    if "role" in texts and role is None:
        report.refuse(path, line, "role", f"expected one of {', '.join(ROLES)}, got {describe(texts['role'])}")
    if at is None or role is None or len(texts) < len(NAMES):
        return None
    if parse_example({"text": texts["text"]}, lambda name, message: report.refuse(path, line, name, message)) is None:
        return None
    if role != texts["role"]:
        report.change_once(path, line, "role", f"{texts['role']} read as {role}")
    masked = _masked(texts["text"])
    if masked != texts["text"]:
        report.change(path, line, "text", "personal data masked")
    return Turn(path, line, texts["conversation"], at, role, masked)


def _masked(text: str) -> str:
    """Masks a text as it is written; in its normal form where full-width or hidden characters disguise something."""
    masked = mask(text)
    plain = normalise(masked, MAX_TEXT)
    disclosed = mask(plain)
    return masked if disclosed == plain else disclosed


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _role(text: str | None) -> str | None:
    name = (text or "").casefold()
    return next((role for role, others in ROLES.items() if name in (role, *others)), None)


def _answered(turns: Iterable[Turn]) -> Iterator[tuple[str, str, str]]:
    """Conversation, customer turn and the agent turns that follow it directly, joined."""
    for conversation, spoken in groupby(turns, key=lambda turn: turn.conversation):
        question = ""
        for role, run in groupby(spoken, key=lambda turn: turn.role):
            texts = [turn.text for turn in run]
            if role == "agent" and question:
                yield conversation, question, "\n".join(texts)
            question = texts[-1] if role == "customer" else ""


def _long_enough(question: str, answer: str) -> bool:
    return len(_WORD.findall(question)) >= QUESTION_WORDS and len(_WORD.findall(answer)) >= ANSWER_WORDS
