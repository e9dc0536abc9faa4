"""A Rasa project into examples, FAQ entries and templates to review."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from nlu.example_schema import Example, example_document, parse_example
from nlu.text import detect_language
from nlu.types import OUT_OF_SCOPE
from retrieval.types import FaqEntry
from training import import_examples, import_faq
from training.import_drafts import draft_entry
from training.import_examples import KnownExamples
from training.import_known import KnownFaq, Source
from training.import_report import Report
from training.rasa_files import RasaExample, RasaProject, RasaResponse

_OUT_OF_SCOPE_NAMES = frozenset({"out_of_scope", "outofscope", "nlu_fallback"})
_SLOT_OR_BRACE = re.compile(r"(\{[a-z][a-z0-9_]*\})|([{}])")
_HEADING = "# From Rasa's responses. Nothing reads this file: review it, then move what you want into templates.yaml.\n"

Templates = Mapping[str, Mapping[str, Sequence[str]]]
"""Phrasings by language by template."""


@dataclass(frozen=True, slots=True)
class RasaMaterial:
    """What was taken from a Rasa project.

    Attributes:
        examples: labelled texts.
        faq: entries from retrieval intents.
        templates: phrasings from the other responses.
    """

    examples: tuple[Example, ...]
    faq: tuple[FaqEntry, ...]
    templates: Templates

    @property
    def count(self) -> int:
        """How many records were taken."""
        return len(self.examples) + len(self.faq) + len(self.templates)


def convert_project(
    project: RasaProject,
    known_examples: KnownExamples,
    known_faq: KnownFaq,
    languages: Sequence[str],
    report: Report,
) -> RasaMaterial:
    """Turns intents into examples, retrieval intents into FAQ entries and other responses into templates.

    Args:
        project: the project.
        known_examples: what is labelled already; grows by what is taken here.
        known_faq: ids and wordings that are taken already; grows by what is taken here.
        languages: languages on offer.
        report: is told of every change and refusal.

    Returns:
        The material.
    """
    annotated = any(example.spans for example in project.examples)
    examples = []
    asked: dict[str, list[RasaExample]] = defaultdict(list)
    for item in project.examples:
        if "/" in item.intent:
            asked[item.intent].append(item)
        elif (example := _example(item, languages, report, annotated=annotated)) and import_examples.admit(
            example, item.path, item.line, known_examples, report
        ):
            examples.append(example)
    answers: dict[str, list[RasaResponse]] = defaultdict(list)
    for response in project.responses:
        answers[response.name].append(response)
    faq = []
    for intent, items in asked.items():
        entry = _entry(intent, items, answers.pop(f"utter_{intent}", []), report)
        if entry:
            first = items[0]
            admitted = import_faq.admit(entry, Source(first.path, first.line), known_faq, languages, report)
            faq += [admitted] if admitted else []
    return RasaMaterial(tuple(examples), tuple(faq), _templates(answers, languages, report))


def templates_snippet(templates: Templates) -> bytes:
    """The content of the file of templates to review."""
    document = {key: {lang: list(texts) for lang, texts in spoken.items()} for key, spoken in templates.items()}
    return (_HEADING + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=10_000)).encode()


def _example(item: RasaExample, languages: Sequence[str], report: Report, *, annotated: bool) -> Example | None:
    intent = item.intent
    if intent.casefold() in _OUT_OF_SCOPE_NAMES:
        intent = OUT_OF_SCOPE
        report.change_once(item.path, item.line, "intent", f"{item.intent} read as {OUT_OF_SCOPE}")
    # Where no example of a project has entities, nobody looked for any.
    spans = item.spans if annotated else None
    lang = detect_language(item.text, languages) or ""
    example = Example(item.text, {"intent": intent}, spans, lang=lang, source="rasa")
    return parse_example(
        example_document(example), lambda name, message: report.refuse(item.path, item.line, name, message)
    )


def _entry(
    intent: str, items: Sequence[RasaExample], answers: Sequence[RasaResponse], report: Report
) -> FaqEntry | None:
    first = items[0]
    if not answers:
        message = f"{intent} has no response utter_{intent}; add it to the domain, or take the intent out"
        report.refuse(first.path, first.line, "intent", message)
        return None
    for other in answers[1:]:
        report.leave_out(other.path, other.line, other.name, "not taken; a FAQ entry has one answer, the first is it")
    name = intent.replace("/", "-")
    report.change(first.path, first.line, "intent", f"{intent} became the FAQ entry {name}")
    fields = {
        "id": name,
        "question": first.text,
        "answer": answers[0].text,
        "variants": list(dict.fromkeys(item.text for item in items[1:])),
        "tags": ["rasa"],
    }
    return draft_entry(fields, Source(first.path, first.line), report)


def _templates(
    answers: Mapping[str, Iterable[RasaResponse]], languages: Sequence[str], report: Report
) -> dict[str, dict[str, list[str]]]:
    templates: dict[str, dict[str, list[str]]] = {}
    for name, responses in answers.items():
        key = _template_key(name)
        for response in responses:
            if "/" in name:
                report.leave_out(response.path, response.line, name, "not taken; no example asks for it")
                continue
            lang = detect_language(response.text, languages) or languages[0]
            text = _SLOT_OR_BRACE.sub(lambda match: match[1] or match[2] * 2, response.text)
            if text != response.text:
                report.change(response.path, response.line, name, "braces that hold no plain slot name doubled")
            report.change_once(response.path, response.line, name, f"became the template {key}, to review")
            templates.setdefault(key, {}).setdefault(lang, []).append(text)
    return templates


def _template_key(name: str) -> str:
    key = re.sub(r"[^a-z0-9_]+", "_", name.removeprefix("utter_").lower()).strip("_")
    return key if key[:1].isalpha() else f"rasa_{key}".rstrip("_")
