"""What the pages say is true: commands, settings, files and examples exist and work."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from bot.api import MessageIn, create_app
from bot.bot_files.desk_value import DESK_KEYS, read_desk
from bot.bot_files.yaml_values import Problems, read_yaml
from bot.cli.app import app
from bot.dialogue.replies import Filled
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.rules import DeskRules
from bot.knowledge.api import EntryIn, build_router
from bot.pipeline import answer_document
from bot.settings import Settings
from bot.stories import read_stories
from nlu.examples import read_examples
from retrieval.faq import read_faq, read_queries
from training.config import TrainingConfig, read_config

ROOT = Path(__file__).parents[3]
READMES = (ROOT / "README.md", ROOT / "README.zh.md")
PAGES = [*READMES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCKERFILES = sorted((ROOT / "docker").glob("Dockerfile*"))
SETTINGS = {f"FRONTDESK_{name.upper()}": field.default for name, field in Settings.model_fields.items()}
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
EACH_README = pytest.mark.parametrize("readme", READMES, ids=lambda page: page.name)

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"(?:bot|nlu|retrieval|training|tests|docker|examples|docs|bench)/[\w./-]*|\.ci/run")
_PLACED_NAME = re.compile(r"`(\w+)` (?:in|\()\s?`([\w/]+\.py)`")


def blocks(page: Path, language: str) -> list[str]:
    return [content for name, content in _FENCE.findall(page.read_text("utf-8")) if name == language]


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def desk_rules(file: Path) -> DeskRules:
    """What a part of `bot.yaml` says of the agents' desk; there must be nothing wrong with it."""
    problems = Problems()
    escalation = read_yaml(file, problems).fields(("escalation",))["escalation"]
    rules = read_desk(escalation.fields(DESK_KEYS))
    assert problems.texts() == []
    return rules


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ .*$", prose(page), re.MULTILINE)


def rows(page: Path, first: str) -> list[list[str]]:
    """The cells of the table rows whose first cell matches a pattern."""
    table = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in prose(page).splitlines() if line[:1] == "|"
    ]
    return [row for row in table if re.match(first, row[0])]


def calls(script: str) -> Iterator[list[str]]:
    """The commands of a shell script, without comments and variables set before them."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        call: list[str] = []
        for token in [*lexer, ";"]:
            if set(token) <= set("();<>|&"):
                if call:
                    yield call
                call = []
            elif call or not re.match(r"[A-Z_]+=", token):
                call.append(token)


def named_calls(page: Path) -> list[list[str]]:
    """Every make and frontdesk call in shell blocks and in the running text."""
    scripts = [
        *blocks(page, "sh"),
        *(code for code in _INLINE.findall(prose(page)) if re.match(r"make |(\S*/)?frontdesk ", code)),
    ]
    return [call for script in scripts for call in calls(script)]


@cache
def command() -> Any:
    return typer.main.get_command(app)


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def wrong_arguments(arguments: list[str]) -> list[str]:
    """What of a `frontdesk` call the command does not know."""
    node, words = command(), list(arguments)
    while words and getattr(node, "commands", None) and not words[0].startswith("-") and not words[0].isupper():
        if words[0] not in node.commands:
            return words[:1]
        node = node.commands[words.pop(0)]
    known = {"--help", *(option for parameter in node.params for option in parameter.opts)}
    options = [word for word in words if word.startswith("-")]
    return [option for option in options if option not in known]


@EACH_PAGE
def test_every_command_exists(page: Path) -> None:
    for call in named_calls(page):
        if call[0] == "make":
            assert {word for word in call[1:] if "=" not in word} <= make_targets(), call
        elif call[0].endswith("python"):
            module, *names = call[2:]
            assert all((ROOT / module / f"{name}.py").is_file() for name in ("__main__", *names)), call
        for place, word in enumerate(call):
            if word == "frontdesk" or word.endswith("/frontdesk"):
                assert not wrong_arguments(call[place + 1 :]), call


@pytest.mark.parametrize(
    "arguments",
    [["serve"], ["releases", "delete"], ["retrain", "--force"], ["agents", "add", "anna", "--root"]],
    ids=" ".join,
)
def test_a_command_that_does_not_exist_is_noticed(arguments: list[str]) -> None:
    assert wrong_arguments(arguments)


@EACH_PAGE
def test_every_setting_exists(page: Path) -> None:
    assert set(re.findall(r"FRONTDESK_[A-Z_]+", page.read_text("utf-8"))) <= set(SETTINGS)


@EACH_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [target for _, target in _LINK.findall(prose(page)) if not target.startswith(("https://", "http://"))]
    missing = [target for target in targets if not (page.parent / target).resolve().exists()]
    assert not missing


@EACH_PAGE
def test_every_file_and_every_name_in_it_exists(page: Path) -> None:
    paths = [code for code in _INLINE.findall(prose(page)) if _PATH.fullmatch(code)]
    assert not [path for path in paths if not (ROOT / path).exists()]
    for name, path in _PLACED_NAME.findall(prose(page)):
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text("utf-8")), f"{name} in {path}"


@EACH_PAGE
def test_examples_of_data_are_valid(page: Path, tmp_path: Path) -> None:
    for source in blocks(page, "python"):
        compile(source, str(page), "exec")
    for document in blocks(page, "json"):
        json.loads(document)
    for number, content in enumerate(blocks(page, "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(content, "utf-8")
        readers = {"stories": lambda file: read_stories([file]), "escalation": desk_rules}
        assert readers.get(content.partition(":")[0], read_config)(file)
    for number, content in enumerate(blocks(page, "jsonl")):
        file = tmp_path / f"{number}.jsonl"
        file.write_text(content, "utf-8")
        fields = json.loads(content.splitlines()[0])
        read = read_queries if "query" in fields else read_faq if "question" in fields else read_examples
        assert len(read(file)) == len(content.splitlines())


@EACH_README
def test_data_examples_fit_each_other(readme: Path) -> None:
    records = [json.loads(line) for block in blocks(readme, "jsonl") for line in block.splitlines()]
    spans = [record["text"][span["start"] : span["end"]] for record in records for span in record.get("entities", ())]
    assert spans == ["FD20481937"]
    ids = {record["id"] for record in records if "id" in record}
    assert {id_ for record in records for id_ in record.get("relevant", ())} <= ids


@EACH_README
def test_the_http_examples_are_taken(readme: Path) -> None:
    nobody: Any = None
    api = create_app(
        api_key="k", intake=nobody, log=nobody, clock=nobody, ready=list, apology=nobody, version="0"
    )  # fmt: skip
    curls = [call for script in blocks(readme, "sh") for call in calls(script) if call[0] == "curl"]
    asked, edited = curls
    assert any(word.endswith(":8080/v1/messages") for word in asked)
    assert "/v1/messages" in api.openapi()["paths"]
    assert MessageIn.model_validate_json(asked[asked.index("-d") + 1]).conversation == "demo"
    assert any(":8080/v1/faq/saturday." in word for word in edited)
    assert "/v1/faq/{entry}" in [
        route.path for route in build_router(lambda: None, nobody, nobody, nobody, nobody).routes
    ]
    assert EntryIn.model_validate_json(edited[edited.index("-d") + 1]).answer
    for curl in curls:
        assert "cat var/keys/api_key" in curl[curl.index("-H") + 1]
    answer = answer_document(Filled((), None, None), Decision(DecisionKind.TEMPLATE, ""), None, [])
    assert {*answer, "turn"} <= set(_INLINE.findall(prose(readme)))


@EACH_README
def test_the_settings_table_is_complete(readme: Path) -> None:
    table = {row[0].strip("`"): row[1] for row in rows(readme, "`FRONTDESK_")}
    assert set(table) == set(SETTINGS)
    for name, default in SETTINGS.items():
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        assert (table[name] == f"`{shown}`") is (default is not None), name


@EACH_README
def test_the_commands_table_is_complete(readme: Path) -> None:
    table = [row[0].strip("`").split()[1] for row in rows(readme, "`frontdesk ")]
    assert sorted(table) == sorted(command().commands)


@EACH_README
def test_the_files_of_a_bot_are_those_that_are_read(readme: Path) -> None:
    files = [row[0].strip("`") for row in rows(readme, r"`[a-z_]+(\.\w+|/)`$")]
    start = (ROOT / "bot/cli/serve.py").read_text("utf-8")
    assert len(files) == len(set(files)) == 11
    assert not [name for name in files if not (ROOT / "examples/shop" / name).exists() and f'"{name}"' not in start]
    assert {path.name for path in (ROOT / "examples/shop").iterdir()} <= {name.strip("/") for name in files}


@EACH_README
def test_every_figure_is_measured(readme: Path) -> None:
    open_figures = re.findall(r"^.*(?:[:：] ?–|\| – \|)$", prose(readme), re.MULTILINE)
    assert not open_figures, "fill in what `make bench` prints"


def test_both_readmes_say_the_same() -> None:
    english, chinese = READMES
    levels = [[heading.split()[0] for heading in headings(readme)] for readme in READMES]
    assert levels[0] == levels[1]
    assert named_calls(english) == named_calls(chinese)
    assert blocks(english, "jsonl") == blocks(chinese, "jsonl")
    links = [[target for target in _LINK.findall(prose(readme)) if "README" not in target[1]] for readme in READMES]
    assert links[0] == links[1]
    figures = [[re.findall(r"\d[\d.,]*", row[-1]) for row in rows(readme, r"[^`!-]")] for readme in READMES]
    assert figures[0] == figures[1]


def test_training_settings_are_those_of_the_code() -> None:
    table = {row[0].strip("`"): yaml.safe_load(row[1].strip("`")) for row in rows(ROOT / "docs/training.md", r"`\w+`$")}
    fields = TrainingConfig().model_dump()
    assert table == {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def test_the_drawn_layers_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["bot"])
    assert blocks(ROOT / "docs/architecture.md", "text") == ["\n".join(layers) + "\n"]


def test_the_example_shop_is_as_the_changelog_says() -> None:
    rules = yaml.safe_load((ROOT / "examples/shop/bot.yaml").read_text("utf-8"))
    entries = read_faq(*sorted((ROOT / "examples/shop/faq").glob("*.jsonl")))
    each = {lang: sum(entry.lang == lang for entry in entries) for lang in rules["languages"]}
    assert set(each.values()) == {120}
    said = f"{len(rules['intents'])} intents, {len(rules['emotions'])} emotions and 120 FAQ entries in each language"
    assert said in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_contributing_is_short() -> None:
    sections = prose(ROOT / "CONTRIBUTING.md").split("\n## ")
    recipes = [section.strip().splitlines() for section in sections if section.startswith("Add a ")]
    assert len(recipes) == 4
    assert all(len(lines) < 10 for lines in recipes)


def test_compose_names_what_exists() -> None:
    text = (ROOT / "docker/compose.yaml").read_text("utf-8")
    compose = yaml.safe_load(text)
    services = compose["services"]
    builds = [service["build"] for service in services.values() if "build" in service]
    assert builds
    for build in builds:
        context = (ROOT / "docker" / build["context"]).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).is_file()
    for service in services.values():
        environment = service.get("environment", {})
        assert {name for name in environment if name.startswith("FRONTDESK_")} <= set(SETTINGS)
        assert set(service.get("depends_on", ())) <= set(services)
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= set(compose["volumes"])
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    assert asked <= {*SETTINGS, "POSTGRES_PASSWORD"}
    required = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    for readme in READMES:
        script = next(block for block in blocks(readme, "sh") if "docker compose" in block)
        assert required == set(re.findall(r"\b([A-Z]+_[A-Z_]+)\b", script))


def test_compose_passes_every_setting() -> None:
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text("utf-8"))["services"]
    of_the_image = set(re.findall(r"FRONTDESK_[A-Z_]+", (ROOT / "docker/Dockerfile").read_text("utf-8")))
    assert of_the_image == {f"FRONTDESK_{name}" for name in ("BOT_DIR", "DATA_DIR", "HOST", "PORT")}
    passed = services["bot"]["environment"]
    assert set(SETTINGS) - set(passed) == of_the_image | {"FRONTDESK_RETRAIN_SCHEDULE"}
    assert "FRONTDESK_RETRAIN_SCHEDULE" in services["trainer"]["environment"]
    # An empty text would be a wrong value of a number or a word.
    assert not [name for name, value in passed.items() if value is not None and value.endswith(":-}")]


def test_compose_trusts_a_proxy_on_the_host_and_lets_nobody_else_in() -> None:
    bot = yaml.safe_load((ROOT / "docker/compose.yaml").read_text("utf-8"))["services"]["bot"]
    trusted = bot["environment"]["FRONTDESK_TRUSTED_PROXIES"].partition(":-")[2].rstrip("}")
    assert ip_address("172.18.0.1") in ip_network(trusted)
    assert all(port.startswith("127.0.0.1:") for port in bot["ports"])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfiles_name_what_exists(dockerfile: Path) -> None:
    text = dockerfile.read_text("utf-8")
    copied = [words for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for words in line.split()[:-1]]
    assert copied
    assert not [source for source in copied if not (ROOT / source).exists()]
    assert set(re.findall(r"FRONTDESK_[A-Z_]+", text)) <= set(SETTINGS)
    started = json.loads(re.findall(r"^CMD (.+)$", text, re.MULTILINE)[-1])
    assert started[0] == "frontdesk"
    assert not wrong_arguments(started[1:])
