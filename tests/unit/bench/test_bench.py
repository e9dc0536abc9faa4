from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from bench import nearest, public_sets, shop
from bench.__main__ import app, parse_seeds
from bench.answers import read_follow_ups
from bench.banking77 import needed_files, tfidf_baseline
from bench.commands import SHOP, BenchmarkError, environment, run, shown
from bench.faq import across, wrong_at_coverage
from bench.figures import Figure, Goal, Latency, Outcome, latency
from bench.live_edits import Answer, stale
from bench.machine import Machine, parse_cpuinfo, parse_kilobytes, read_machine, resident_bytes
from bench.messages import mixed_messages, read_texts
from bench.nearest import asked, made
from bench.public_sets import PublicSet, files_of, read_lines
from bench.recipe import few
from bench.releases import Setup, train, train_shop
from bench.report import document, markdown
from bench.shop import split_by_language
from bot.errors import InputError
from nlu.examples import read_examples
from retrieval.types import FaqEntry, FaqQuery, Hit

MACHINE = Machine("Fast 9000", 2, ("avx2",), 25.3, "Debian 12", "3.12.1", "2.13.0", 2, 0.5)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([7.0], Latency(7, 7, 7), id="one sample"),
        pytest.param(range(101), Latency(50, 95, 99), id="0 to 100"),
        pytest.param([3.0, 1.0, 2.0, 4.0], Latency(2.5, 3.85, 3.97), id="unsorted, interpolated"),
    ],
)
def test_latency(samples: list[float], expected: Latency) -> None:
    found = latency(list(samples))
    assert (found.p50, found.p95, found.p99) == pytest.approx((expected.p50, expected.p95, expected.p99))


def test_latency_needs_samples() -> None:
    with pytest.raises(ValueError, match="at least one"):
        latency([])


@pytest.mark.parametrize(
    ("figure", "measured", "wanted"),
    [
        pytest.param(Figure("a", (0.9412,), "c", goal=Goal("at least", 0.94)), "0.941", "≥ 0.940 (met)", id="met"),
        pytest.param(
            Figure("a", (0.93, 0.95), "c", goal=Goal("at least", 0.941)),
            "0.940 (0.930 to 0.950)",
            "≥ 0.941 (**missed**)",
            id="the mean of several seeds misses",
        ),
        pytest.param(Figure("a", (40.0,), "c", "ms", Goal("at most", 40)), "40.0 ms", "≤ 40.0 ms (met)", id="exactly"),
        pytest.param(
            Figure("a", (1.21,), "c", "GB", Goal("at most", 1.2)), "1.21 GB", "≤ 1.20 GB (**missed**)", id="too large"
        ),
        pytest.param(Figure("a", (2.5,), "c", "x"), "2.50 x", "", id="nothing wanted"),
        pytest.param(
            Figure("a", (), "c", "min", Goal("at most", 4)),
            "not measured",
            "≤ 4.0 min (not measured)",
            id="not measured",
        ),
    ],
)
def test_figures_for_people(figure: Figure, measured: str, wanted: str) -> None:
    assert (figure.measured(), figure.wanted()) == (measured, wanted)


def test_table_names_each_command_once() -> None:
    outcomes = {
        "first": Outcome((Figure("speed", (3.0,), "frontdesk run", "ms"), Figure("memory", (1.0,), "frontdesk run"))),
        "second": Outcome(
            (Figure("accuracy", (0.5,), "frontdesk evaluate", goal=Goal("at least", 0.9)),), ("A note.",)
        ),
    }
    text = markdown(MACHINE, outcomes, [13])
    lines = text.splitlines()
    assert lines[0].startswith("Measured on Fast 9000, 2 cores (avx2); 25.3 GB of memory; Debian 12; Python 3.12.1")
    assert "seeds" not in lines[0]
    assert lines[2] == "| figure | measured | wanted | command |"
    assert "| speed | 3.0 ms |  | 1 |" in lines
    assert "| accuracy | 0.500 | ≥ 0.900 (**missed**) | 2 |" in lines
    assert lines[-4:] == ["1. `frontdesk run`", "2. `frontdesk evaluate`", "", "- A note."]
    assert "of the seeds 13, 14" in markdown(MACHINE, outcomes, [13, 14])


def test_document_is_json_with_verdicts() -> None:
    outcomes = {"first": Outcome((Figure("accuracy", (0.8, 1.0), "c", goal=Goal("at least", 0.95)),))}
    found = json.loads(json.dumps(document(MACHINE, outcomes, [13, 14])))
    figure = found["benchmarks"]["first"]["figures"][0]
    assert figure["mean"] == pytest.approx(0.9)
    assert figure["verdict"] == "missed"
    assert figure["goal"] == {"sense": "at least", "value": 0.95}
    assert found["machine"]["cpu"] == "Fast 9000"
    assert found["seeds"] == [13, 14]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ("", ()), id="empty"),
        pytest.param(
            "processor\t: 0\nmodel name\t: Xeon: Gold\nflags\t\t: fpu amx_bf16 avx2 sse\n\n"
            "processor\t: 1\nmodel name\t: Other\nflags\t: avx512f\n",
            ("Xeon: Gold", ("avx2", "amx_bf16")),
            id="the first core, flags in a fixed order",
        ),
        pytest.param("processor : 0\nFeatures : fp asimd bf16\n", ("", ("asimd", "bf16")), id="ARM has no model name"),
    ],
)
def test_cpuinfo(text: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert parse_cpuinfo(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("MemTotalX: 3 kB\nMemTotal:   16 kB\nMemTotal: 5 kB\n", 16_384, id="the first line of that name"),
        pytest.param("MemFree: 16 kB\n", 0, id="no such line"),
        pytest.param("MemTotal:\n", 0, id="no number"),
        pytest.param("", 0, id="empty"),
    ],
)
def test_kilobytes(text: str, expected: int) -> None:
    assert parse_kilobytes(text, "MemTotal") == expected


def test_this_machine_and_process_are_read() -> None:
    machine = read_machine()
    assert machine.cores >= 1
    assert machine.memory_gb > 0.1
    assert machine.torch
    assert 0 < resident_bytes(os.getpid()) <= resident_bytes(os.getpid(), peak=True)
    assert resident_bytes(2**30) == 0


@given(
    st.dictionaries(st.sampled_from(["en", "zh", "fr"]), st.lists(st.text(), min_size=1, max_size=40), min_size=1),
    st.integers(1, 60),
)
def test_mixed_messages_cover_every_text_before_one_repeats(texts: dict[str, list[str]], count: int) -> None:
    numbered = {lang: [f"{lang}{i}:{text}" for i, text in enumerate(items)] for lang, items in texts.items()}
    messages = mixed_messages(numbered, "x", count)
    assert len({message.id for message in messages}) == len(messages) == count
    assert max(Counter(message.conversation for message in messages).values()) <= 3
    for lang, items in numbered.items():
        used = [message.text for message in messages if message.text.startswith(lang)]
        assert len(set(used)) == min(len(items), len(used))
    for conversation in {message.conversation for message in messages}:
        assert len({m.text[:2] for m in messages if m.conversation == conversation}) == 1


def test_the_shops_languages_are_timed_alike() -> None:
    messages = mixed_messages(read_texts(SHOP / "test.jsonl"), "x")
    chinese = sum(any("\u4e00" <= character <= "\u9fff" for character in message.text) for message in messages)
    assert len(messages) == 300
    assert 120 <= chinese <= 180


def test_split_by_language_takes_every_line_once(tmp_path: Path) -> None:
    for name in ("test.jsonl", "faq_queries.jsonl"):
        whole = (SHOP / name).read_text("utf-8").splitlines()
        parts = []
        for lang in ("en", "zh"):
            lines = (split_by_language(lang, tmp_path / lang) / name).read_text("utf-8").splitlines()
            assert {json.loads(line)["lang"] for line in lines} == {lang}
            parts += lines
        assert sorted(parts) == sorted(whole)


def test_a_text_may_hold_what_ends_lines_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"lang": "en", "text": "a\u2028b", "first": "a\x85b", "then": "c", "relevant": ["d"]}
    path = tmp_path / "test.jsonl"
    public_sets.write_lines(path, [line, line])
    public_sets.write_lines(tmp_path / "faq_queries.jsonl", [line])
    assert read_lines(path) == [line, line]
    assert read_texts(path) == {"en": ["a\u2028b"] * 2}
    assert [follow_up.first for follow_up in read_follow_ups(path)] == ["a\x85b"] * 2
    monkeypatch.setattr(shop, "SHOP", tmp_path)
    assert read_lines(split_by_language("en", tmp_path / "en") / "test.jsonl") == [line, line]


def test_tfidf_baseline_learns(tmp_path: Path) -> None:
    lines = [{"text": f"{word} {i}", "intent": word} for word in ("card", "refund") for i in range(10)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    test = [{"text": "my card", "intent": "card"}, {"text": "a refund", "intent": "refund"}] * 2
    test.append({"text": "card", "intent": "refund"})
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, test)), "utf-8")
    assert tfidf_baseline(tmp_path / "train.jsonl", tmp_path / "test.jsonl").accuracy == pytest.approx(0.8)


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def test_a_label_that_training_must_not_see_is_left_out_and_the_valid_file_is_held_out(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        lines = [{"text": f"{name} {i}", "intent": intent} for i, intent in enumerate(("pay", "oos", "move"))]
        write_lines(tmp_path / "set" / f"{name}.jsonl", lines)
    public = PublicSet("a set", "set", "e", {}, valid="valid.jsonl", without="oos")
    known, unseen = files_of(tmp_path, public, tmp_path / "work")
    examples = read_examples(*known)
    assert [(e.text, e.split) for e in examples] == [
        ("train 0", ""),
        ("train 2", ""),
        ("valid 0", "valid"),
        ("valid 2", "valid"),
    ]
    assert unseen == tmp_path / "set" / "test.jsonl"


def test_a_set_without_a_split_is_cut_by_time_and_no_test_text_is_learnt(tmp_path: Path) -> None:
    lines = [{"text": f"t{9 - i}", "sentiment": "good", "created": f"2/{10 - i}/2015 1{i}:00"} for i in range(9)]
    lines.append({"text": "t9", "sentiment": "good", "created": "2/1/2015 9:00"})
    write_lines(tmp_path / "set" / "all.jsonl", lines)
    (known,), unseen = files_of(tmp_path, PublicSet("a set", "set", "e", {}, test=None), tmp_path / "work")
    assert [e.text for e in read_examples(known)] == [f"t{i}" for i in range(1, 8)]
    assert [e.text for e in read_examples(unseen)] == ["t8", "t9"]


def test_pairs_of_questions_become_one_text_each(tmp_path: Path) -> None:
    pair = {"text_a": "借呗怎么还款", "text_b": "怎么还借呗", "same": 1, "lang": "zh"}
    for name in ("train.jsonl", "valid.jsonl"):
        write_lines(tmp_path / "set" / name, [pair, pair | {"same": 0}])
    public = PublicSet("pairs", "set", "e", {}, test="valid.jsonl")
    (known,), unseen = files_of(tmp_path, public, tmp_path / "work")
    for path in (known, unseen):
        examples = read_examples(path)
        assert [(e.text, e.labels["intent"]) for e in examples] == [
            ("借呗怎么还款 | 怎么还借呗", "same"),
            ("借呗怎么还款 | 怎么还借呗", "different"),
        ]


def test_commands_are_shown_without_this_machines_paths() -> None:
    names = {Path("/a/data"): "DATA", Path("/a"): ""}
    arguments = ["train", "--examples", Path("/a/data/x.jsonl"), "--config", Path("/a/b/c.yaml"), Path("/d")]
    assert shown(arguments, names) == "frontdesk train --examples DATA/x.jsonl --config b/c.yaml /d"


def test_environment_keeps_no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_TELEGRAM_TOKEN", "1:a")
    found = environment(data_dir=Path("/x"), port="1")
    assert {name: value for name, value in found.items() if name.startswith("FRONTDESK_")} == {
        "FRONTDESK_DATA_DIR": "/x",
        "FRONTDESK_PORT": "1",
    }
    assert found["PATH"] == os.environ["PATH"]


def fake_frontdesk(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = folder / "frontdesk"
    script.write_text(f"#!{sys.executable}\nimport os, sys, json, pathlib\n{body}\n", "utf-8")
    script.chmod(0o755)
    monkeypatch.setattr("bench.commands.frontdesk", lambda arguments: [str(script), *map(str, arguments)])


def test_run_measures_time_memory_and_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "import time; block = bytearray(80_000_000); block[::4096] = bytes(len(block[::4096])); time.sleep(0.3)\n"
    body += "print(json.dumps({'cwd': os.getcwd(), 'arguments': sys.argv[1:]}))"
    fake_frontdesk(tmp_path, body, monkeypatch)
    finished = run(["evaluate", tmp_path], tmp_path / "var")
    assert finished.document == {"cwd": str(tmp_path / "var"), "arguments": ["evaluate", str(tmp_path)]}
    assert 0.3 <= finished.seconds < 30
    assert finished.peak_bytes > 80_000_000


def test_run_names_the_command_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_frontdesk(tmp_path, "sys.exit(2)", monkeypatch)
    with pytest.raises(BenchmarkError, match=r"`frontdesk train --x` ended with code 2"):
        run(["train", "--x"], tmp_path / "var")


TRAINER = """
out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])
out.mkdir()
(out / 'manifest.json').write_text('{}')
with open(pathlib.Path(__file__).with_name('calls'), 'a') as calls:
    calls.write('x')
"""


def test_a_kept_release_is_taken_while_its_command_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_frontdesk(tmp_path, TRAINER, monkeypatch)
    setup = Setup(tmp_path / "data", tmp_path / "work", (13,))
    first = train(setup, "shop", ["--encoder", "a"], 13)
    assert first.command == "frontdesk train --encoder a --seed 13 --out RELEASE"
    assert train(setup, "shop", ["--encoder", "a"], 13) == first
    assert (tmp_path / "calls").read_text() == "x"
    train(setup, "shop", ["--encoder", "a"], 14)
    train(setup, "shop", ["--encoder", "b"], 13)
    assert (tmp_path / "calls").read_text() == "xxx"
    (tmp_path / "work" / "shop-13" / "training.json").unlink()
    train(setup, "shop", ["--encoder", "b"], 13)
    assert (tmp_path / "calls").read_text() == "xxxx"


def test_a_given_release_is_not_trained(tmp_path: Path) -> None:
    found = train_shop(Setup(tmp_path, tmp_path, (13,), tmp_path / "mine"), 13)
    assert (found.folder, found.minutes, found.peak_gb) == (tmp_path / "mine", None, None)


@pytest.mark.parametrize(("text", "expected"), [("13", (13,)), ("13, 14,15", (13, 14, 15)), ("7,7", (7,)), ("0", (0,))])
def test_seeds(text: str, expected: tuple[int, ...]) -> None:
    assert parse_seeds(text) == expected


@pytest.mark.parametrize("text", ["", "a", "1,", "-1", "1.5", "²"])
def test_bad_seeds(text: str) -> None:
    with pytest.raises(InputError, match=r"--seeds: expected whole numbers"):
        parse_seeds(text)


def test_missing_data_is_one_clear_line(tmp_path: Path) -> None:
    result = invoke("--data", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert f"{needed_files(tmp_path / 'nowhere')[0]}: there is no such file" in result.stderr
    assert "--data" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["shop", "--seeds", "x"], "--seeds", id="seeds"),
        pytest.param(["shop", "--release", "{}"], "is no release folder", id="release"),
        pytest.param(["shop", "--json", "{}/none/x.json"], "--json", id="json in a folder that is not there"),
        pytest.param(["shop", "--json", "{}"], "--json", id="json is a folder"),
        pytest.param(["sleep"], "sleep", id="unknown benchmark"),
    ],
)
def test_bad_usage(arguments: list[str], expected: str, tmp_path: Path) -> None:
    result = invoke(*(argument.format(tmp_path) for argument in arguments))
    assert result.exit_code == 2
    assert expected in result.stderr


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (0.5, 0, "(**missed**)"),
        (0.95, 0, "(met)"),
        (BenchmarkError("it broke"), 1, "could not be measured: it broke"),
        (RuntimeError("it fell over"), 1, "could not be measured, by a fault of its own"),
    ],
    ids=["missed", "met", "told", "fault"],
)
def test_a_missed_figure_is_no_failure(
    value: float | Exception, code: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(setup: Setup) -> Outcome:
        if isinstance(value, Exception):
            raise value
        return Outcome((Figure("accuracy", (value,), "c", goal=Goal("at least", 0.9)),))

    monkeypatch.setattr("bench.shop.measure", measure)
    result = invoke("shop", "--json", tmp_path / "out.json")
    assert result.exit_code == code
    assert expected in result.output
    written = json.loads((tmp_path / "out.json").read_text("utf-8"))["benchmarks"]
    assert list(written) == ([] if isinstance(value, Exception) else ["shop"])


def test_figures_that_cannot_be_written_are_printed_and_end_in_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(setup: Setup) -> Outcome:
        (tmp_path / "figures").rename(tmp_path / "gone")
        return Outcome((Figure("accuracy", (0.5,), "c"),))

    (tmp_path / "figures").mkdir()
    monkeypatch.setattr("bench.shop.measure", vanish)
    result = invoke("shop", "--json", tmp_path / "figures" / "out.json")
    assert result.exit_code == 2
    assert "| accuracy | 0.500 |" in result.stdout
    assert "could not be written" in result.stderr


def test_a_run_that_is_cut_has_told_what_it_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(setup: Setup) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.shop.measure", lambda setup: Outcome((Figure("accuracy", (0.5,), "c"),)))
    monkeypatch.setattr("bench.reading.measure", cut)
    result = invoke("shop", "reading", "--json", tmp_path / "out.json")
    assert "| accuracy | 0.500 |" in result.stderr
    assert list(json.loads((tmp_path / "out.json").read_text("utf-8"))["benchmarks"]) == ["shop"]


def test_few_examples_are_drawn_of_every_intent(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    write_lines(path, [{"text": f"{intent} {n}", "intent": intent} for intent in ("a", "b") for n in range(9)])
    draws = [few(path, 3, seed) for seed in (1, 2, 1)]
    texts = [[(line["intent"], line["text"]) for line in read_lines(draw)] for draw in draws]
    assert all(sorted(intent for intent, _ in drawn) == ["a"] * 3 + ["b"] * 3 for drawn in texts)
    assert texts[0] == texts[2] != texts[1]


def test_an_answer_is_stale_a_second_after_the_next_edit() -> None:
    edits = [0.0, 10.0, 20.0]
    fresh = [Answer(5.0, 5.1, 0), Answer(10.9, 11.0, 0), Answer(9.9, 10.1, 1), Answer(99.0, 99.1, 2)]
    assert stale(fresh, edits) == 0
    assert stale([Answer(11.1, 11.2, 0), Answer(22.0, 22.1, 0), Answer(22.0, 22.1, 1)], edits) == 3
    assert stale([Answer(99.0, 99.1, -1)], edits) == 0


def test_wrong_answers_are_counted_where_most_are_certain() -> None:
    entries = [FaqEntry(name, "q", "a") for name in ("a", "b")]
    best = [Hit(entries[0], "q", 0.5, score) for score in (0.9, 0.8, 0.7, 0.1)]
    relevant = [("a",), ("b",), ("a",), ("b",)]
    assert wrong_at_coverage(best, relevant, 0.75) == pytest.approx(1 / 3)
    assert wrong_at_coverage(best, relevant, 1.0) == 0.5


def test_questions_are_asked_across_languages() -> None:
    queries = [FaqQuery("一", ("x.zh", "y.zh"), "zh"), FaqQuery("one", ("x.en",), "en")]
    assert across(queries, "zh", "en") == [FaqQuery("一", ("x.en", "y.en"), "zh")]


def test_a_small_run_over_many_vectors_has_its_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nearest, "SIZES", (200, 400))
    outcome = nearest.measure(Setup(tmp_path, tmp_path, (13,)))
    table = markdown(MACHINE, {"nearest": outcome}, (13,))
    assert "| 400 vectors, Frontdesk: recall@10 | 1.000 | ≥ 0.980 (met) |" in table
    assert re.search(r"\| 400 vectors, Frontdesk: p50 \| \d+ µs \| ≤ 2000 µs \(met\)", table)
    assert re.search(r"\| 400 vectors, Frontdesk: a vector \| \d+ bytes", table)


def test_made_vectors_have_rewordings_near() -> None:
    vectors = made(400, 13)
    queries = asked(vectors, 50)
    cosines = np.sort(queries @ vectors.T, axis=1)[:, ::-1]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert cosines[:, 0].mean() > 0.9 > cosines[:, 9].mean() > cosines[:, 200].mean() + 0.3
