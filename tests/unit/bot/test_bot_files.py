from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bot.bot_files import load_bot_files
from bot.dialogue.templates import SYSTEM_TEMPLATES
from bot.domain.rules import DeskRules, Route
from bot.errors import InputError

SHOP = Path(__file__).parents[3] / "examples" / "shop"
BOT = load_bot_files(SHOP)
NAMES = """
order_status order_cancel order_change change_address delivery_time delivery_cost delivery_late
delivery_lost pickup_point international_shipping return_request return_policy exchange_item
refund_status refund_method damaged_item wrong_item missing_item warranty product_availability
product_details size_guide recommendation price_match discount_code promotion_info payment_methods
payment_failed double_charge installments invoice gift_card gift_wrap account_register login_problem
account_update account_delete loyalty_points unsubscribe store_hours store_location wholesale jobs
complaint praise human_agent greeting goodbye thanks affirm deny bot_identity
"""
INTENTS = NAMES.split()
EMOTIONAL = [
    "delivery_late_start",
    "damaged_item_start",
    "refund_status_start",
    "double_charge_start",
    "login_problem",
    "complaint",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("bot.yaml", "templates.yaml", "forms.yaml", "actions.yaml"):
        shutil.copy(SHOP / name, tmp_path / name)
    return tmp_path


def complaint(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_bot_files(folder)
    return str(caught.value)


def swap(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_example_shop_covers_every_intent_in_both_languages() -> None:
    assert sorted(BOT.rules.intents) == sorted(INTENTS)
    assert len(INTENTS) == 52
    for rule in BOT.rules.intents.values():
        assert set(rule.titles) == {"en", "zh"}
        for language in ("en", "zh"):
            assert len(BOT.templates.templates[rule.template].phrasings[language]["default"]) >= 2, (
                rule.name,
                language,
            )


def test_the_example_shop_has_every_system_template_twice() -> None:
    for key in SYSTEM_TEMPLATES:
        assert all(len(moods["default"]) >= 2 for moods in BOT.templates.templates[key].phrasings.values()), key


@pytest.mark.parametrize("key", EMOTIONAL)
def test_the_example_shop_answers_moods_where_it_matters(key: str) -> None:
    assert all({"anger", "disappointment"} & moods.keys() for moods in BOT.templates.templates[key].phrasings.values())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_phrasing_of_the_example_shop_is_written_twice_in_a_template(language: str) -> None:
    for template in BOT.templates.templates.values():
        said = [p.pieces for phrasings in template.phrasings[language].values() for p in phrasings]
        assert len(said) == len(set(said)), template.key


def test_the_languages_of_the_example_shop_are_not_mixed_up() -> None:
    for key, template in BOT.templates.templates.items():
        if key == "unknown_language":
            continue
        for language, expected in (("en", False), ("zh", True)):
            for phrasings in template.phrasings[language].values():
                for phrasing in phrasings:
                    labels = [button.label for button in phrasing.buttons]
                    for text in ("".join(phrasing.pieces[::2]), *labels):
                        assert bool(re.search(r"[\u4e00-\u9fff]", text)) is expected, (key, text)


def test_reads_the_rules() -> None:
    rules = BOT.rules
    assert (rules.languages, rules.default_language, rules.names["zh"]) == (("en", "zh"), "en", "云雀小铺")
    assert rules.intents["order_status"].route is Route.FORM
    assert rules.intents["order_status"].escalate
    assert rules.escalation.strong_emotions == {"anger"}
    assert (rules.escalation.times, rules.escalation.within, rules.escalation.misses) == (2, 3, 2)
    assert rules.escalation.desk == DeskRules(vip=frozenset())
    assert "no" in rules.words.no
    assert rules.protected["emotion"] == ("anger",)


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "bot.yaml",
            "jobs: {route: template",
            "jobs: {route: templat",
            r'bot.yaml:\d+: intents.jobs.route: "templat".*did you mean "template"',
        ),
        ("bot.yaml", "misses: 2", "mises: 2", r'bot.yaml:\d+: escalation.mises: unknown key.*did you mean "misses"'),
        (
            "bot.yaml",
            "misses: 2",
            "misses: soon",
            r"bot.yaml:\d+: escalation.misses: expected a whole number from 1 to 20, got \"soon\"",
        ),
        (
            "bot.yaml",
            "assignment: manual",
            "assignment: round_robin",
            r'bot.yaml:\d+: escalation.assignment: "round_robin" is not a way to assign.*"round-robin"',
        ),
        ("bot.yaml", "untaken: 10", "untaken: -1", r"escalation.timeouts.untaken: expected a whole number from 0"),
        ("bot.yaml", "{first_reply_minutes", "{first_reply", r"escalation.sla.first_reply: unknown key"),
        (
            "bot.yaml",
            "times: 2, within: 3",
            "times: 4, within: 3",
            r"bot.yaml:\d+: escalation.repeated: 4 times cannot",
        ),
        (
            "bot.yaml",
            "strong_emotions: [anger]",
            "strong_emotions: [angre]",
            r'strong_emotions.1: "angre".*did you mean "anger"',
        ),
        ("bot.yaml", "form: order,", "form: ordr,", r'order_status.form: "ordr" is not a form of forms.yaml.*"order"'),
        (
            "bot.yaml",
            "{route: form, form: contact, then",
            "{route: form, then",
            r'intents.wholesale: the route "form" needs the key "form"',
        ),
        (
            "bot.yaml",
            "invoice: {route: template,",
            "invoice: {route: template, then: handover,",
            r"intents.invoice.then: only the route",
        ),
        (
            "bot.yaml",
            "then: handover, start: wholesale",
            "then: sleep, start: wholesale",
            r'wholesale.then: "sleep" is not',
        ),
        (
            "bot.yaml",
            "{en: Gift cards, zh: 礼品卡}",
            "{en: Gift cards}",
            r'intents.gift_card.title: the key "zh" is missing',
        ),
        ("bot.yaml", "/help: help", "help: help", r'commands.help: "help" is no command'),
        ("bot.yaml", "/help: help", "/help: halp", r'commands./help: "halp" is not human, cancel, language'),
        (
            "bot.yaml",
            "human: human_agent",
            "human: human_agnt",
            r'roles.human: "human_agnt".*did you mean "human_agent"',
        ),
        ("bot.yaml", "[cancel, stop", "[cancel, yes", r'words.cancel.en.2: "yes" means "yes" already'),
        (
            "bot.yaml",
            "default_language: en",
            "default_language: fr",
            r'default_language: "fr" is not one of the languages',
        ),
        ("bot.yaml", "languages: [en, zh]", "languages: [English]", r'languages.1: "English" is no language code'),
        ("bot.yaml", "languages: [en, zh]", "languages: en", r'bot.yaml:\d+: languages: expected a list.*got "en"'),
        ("bot.yaml", "  jobs: {", "  invoice: {", r"intents.invoice: the key is written twice"),
        ("bot.yaml", "  jobs: {", "  jobbs: {", r'intents.jobbs: templates.yaml has no "jobbs".*did you mean "jobs"'),
        ("bot.yaml", "intents:\n", "intents: [\n", r"bot.yaml:\d+: not valid YAML"),
        (
            "templates.yaml",
            "jobs:\n",
            "jobbs:\n",
            r'jobbs: no intent, form, command or system message.*did you mean "jobs"',
        ),
        ("templates.yaml", "too_long:\n", "to_long:\n", r'templates.yaml:\d+: the key "too_long" is missing'),
        (
            "templates.yaml",
            "{order_number} – is",
            "{order_nr} – is",
            r'confirm_order.en.default.1: {order_nr} has no value here.*"order_number"',
        ),
        (
            "templates.yaml",
            "Great. What",
            "Great {order_number}. What",
            r"affirm.en.1: {order_number} has no value here; expected one of name",
        ),
        ("templates.yaml", "Great. What", "Great {name.x}. What", r'affirm.en.1: a "{" at character'),
        (
            "templates.yaml",
            'value: "intent:delivery_cost"',
            'value: "intent:delivery_costs"',
            r'buttons.1.value: "delivery_costs" is not an intent',
        ),
        ("templates.yaml", 'value: "intent:delivery_cost"', 'value: "call:me"', r'"call:me" is no button value'),
        (
            "templates.yaml",
            'value: "intent:delivery_cost"',
            f'value: "say:{"好" * 21}"',
            r"the value has 67 bytes; at most 64",
        ),
        (
            "templates.yaml",
            "    worry:\n",
            "    wory:\n",
            r'templates.yaml:\d+: delivery_time.en.wory: unknown key.*did you mean "worry"',
        ),
        (
            "templates.yaml",
            "    - I'll have your order looked up.\n    - Let's see where your order is.\n",
            "    []\n",
            r"order_status_start.en: write at least one",
        ),
        ("forms.yaml", "type: choice", "type: choise", r'problem.slots.wish.type: "choise".*did you mean "choice"'),
        (
            "forms.yaml",
            "digits: 8",
            "digits: 8\n      pattern: x",
            r"order.slots.order_number.pattern: a slot of type order_number has no such key",
        ),
        (
            "forms.yaml",
            "prompt: ask_change",
            "prompt: ask_chnge",
            r'change.slots.change.prompt: "ask_chnge".*did you mean "ask_change"',
        ),
        ("forms.yaml", "max_length: 300", "pattern: '('", r"change.slots.change.pattern: not a regular expression"),
        ("forms.yaml", "    email:\n", "    Email:\n", r'contact.slots.Email: "Email" cannot be a slot'),
        ("forms.yaml", "prefix: FD", "prefix: f-d", r'"f-d" cannot begin an order number'),
    ],
)
def test_a_mistake_is_named_with_file_and_key(folder: Path, file: str, old: str, new: str, expected: str) -> None:
    swap(folder / file, old, new)
    message = complaint(folder)
    assert re.search(expected, message), message


def test_all_mistakes_come_in_one_message(folder: Path) -> None:
    swap(folder / "bot.yaml", "misses: 2", "mises: 2")
    swap(folder / "templates.yaml", "Great. What", "Great {x}. What")
    swap(folder / "forms.yaml", "digits: 8", "digits: many")
    message = complaint(folder)
    assert "3 mistakes" in message
    assert all(name in message for name in ("escalation.mises", "affirm.en.1", "order.slots.order_number.digits"))


@pytest.mark.parametrize("name", ["bot.yaml", "templates.yaml", "forms.yaml"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "the file is missing"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"", "expected a mapping .* got nothing"),
        (b"- a\n", "expected a mapping .* got a list"),
        (b"a: b: c\n", "not valid YAML"),
        (b"a: \x07\n", "not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "not valid YAML"),
    ],
    ids=["missing", "encoding", "empty", "list", "syntax", "control character", "two documents"],
)
def test_an_unreadable_file_is_named(folder: Path, name: str, content: bytes | None, expected: str) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    assert re.search(f"{name}.*{expected}", complaint(folder))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "is no folder; expected one with bot.yaml" in complaint(tmp_path / "none")


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    path = folder / "bot.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_bot_files(folder) == BOT


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("priority: urgent", "priority: soon", '"soon" is not a priority; expected one of normal, high, urgent'),
        ("template: danger_to_self", "template: nothing", '"nothing" is not a key of templates.yaml'),
        ("        zh: [自杀", "        fr: [自杀", 'the key "zh" is missing'),
    ],
)
def test_a_mistake_in_an_alert_is_named(folder: Path, old: str, new: str, message: str) -> None:
    swap(folder / "bot.yaml", old, new)
    found = complaint(folder)
    assert "escalation.alerts.danger_to_self" in found
    assert message in found


def test_who_asks_for_a_rating_has_to_thank_for_it(folder: Path) -> None:
    text = (folder / "templates.yaml").read_text(encoding="utf-8")
    start, end = text.index("rated:\n"), text.index("agent_left:\n")
    (folder / "templates.yaml").write_text(text[:start] + text[end:], encoding="utf-8")
    assert '"rated", which thanks for it, is missing' in complaint(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("actions.yaml", "get: /orders", "get: orders", '"orders/{order_number}" is no path'),
        ("actions.yaml", "get: /orders/{order_number}", "get: /orders/{Order}", "is no path"),
        ("actions.yaml", "  get: /orders/{order_number}\n", "", "an action has exactly one of get, post, put, delete"),
        ("actions.yaml", "get: /orders/{order_number}", "get: /orders/{email}", "the action's path needs email"),
        ("actions.yaml", "packed: order_packed", "packed: order_gone", '"order_gone" is not a key of templates.yaml'),
        ("actions.yaml", "shown: [day]", "shown: [name]", "is the bot's own name in templates"),
        ("actions.yaml", "shown: [day]", "shown: [hour]", "{day} has no value here"),
        ("actions.yaml", "seconds: 3", "seconds: 60", "expected a whole number from 1 to 10"),
        ("bot.yaml", "action: order_lookup", "action: order_lookdown", 'did you mean "order_lookup"?'),
        ("bot.yaml", "{route: template, title", "{route: template, action: order_lookup, title", "only the route"),
    ],
)
def test_a_mistake_in_an_action_is_named(folder: Path, file: str, old: str, new: str, message: str) -> None:
    swap(folder / file, old, new)
    assert message in complaint(folder)


def test_a_bot_needs_no_actions(folder: Path) -> None:
    (folder / "actions.yaml").unlink()
    assert '"order_lookup" is not an action of actions.yaml; expected none at all' in complaint(folder)


def test_announcements_are_read_in_the_hours_time_zone(folder: Path) -> None:
    with (folder / "bot.yaml").open("a", encoding="utf-8") as file:
        file.write(
            'announcements:\n  - {from: 2026-12-24 18:00, until: 2026-12-25, text: {en: "Closed.", zh: "休息。"}}\n'
        )
    (announcement,) = load_bot_files(folder).rules.announcements
    assert announcement.begins.isoformat() == "2026-12-24T18:00:00+01:00"
    assert announcement.ends.isoformat() == "2026-12-25T00:00:00+01:00"
    assert announcement.texts == {"en": "Closed.", "zh": "休息。"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{from: soon, until: 2026-12-25, text: {en: a, zh: b}}", '"soon" is no moment'),
        ("{from: 2026-12-26, until: 2026-12-25, text: {en: a, zh: b}}", "ends before it begins"),
        ("{from: 2026-12-24, until: 2026-12-25, text: {en: a}}", "zh"),
        ("{from: 2026-12-24, text: {en: a, zh: b}}", "until"),
    ],
)
def test_a_mistake_in_an_announcement_is_named(folder: Path, line: str, message: str) -> None:
    with (folder / "bot.yaml").open("a", encoding="utf-8") as file:
        file.write(f"announcements:\n  - {line}\n")
    assert message in complaint(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Europe/Berlin", "Europe/Atlantis", '"Europe/Atlantis" is no time zone'),
        ('mon: "8:00-20:00"', 'mon: "early"', '"early" are no hours'),
        ('mon: "8:00-20:00"', 'mon: "20:00-8:00"', "ends before it begins"),
        ('mon: "8:00-20:00"', 'mun: "8:00-20:00"', 'did you mean "sun"?'),
        ("2026-12-25", "christmas", '"christmas" is no date'),
    ],
)
def test_a_mistake_in_the_hours_is_named(folder: Path, old: str, new: str, message: str) -> None:
    swap(folder / "bot.yaml", old, new)
    assert message in complaint(folder)
