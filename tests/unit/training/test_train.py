from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

from nlu.attribution import attribute
from nlu.calibration import softmax
from nlu.examples import Example, Span
from nlu.explain import explain
from nlu.model import Reader
from nlu.neighbours import Neighbours
from nlu.pretrained import MINILM_NAME, load_pretrained
from nlu.releases import read_manifest, verify
from nlu.runtime import ENCODER_FOLDER, load_understander
from nlu.types import InputError, ReleaseError
from retrieval.index import FaqIndex
from retrieval.types import FaqEntry, FaqError, FaqQuery
from training.config import TrainingConfig
from training.export import FULL, QUANTISED, Variant, export_graph
from training.learn import learn
from training.prepare import Prepared, TrainingSet, pair_faq, prepare
from training.reading import read_all
from training.train import train_release
from training.warm_start import fits

COLOURS = ("red", "blue", "green", "white", "black")
THINGS = ("lamp", "kettle", "shoe", "bag", "shirt", "bottle", "chair", "plate")
WISHES = {"order_status": "where is my", "return_request": "send back the", "oos": "paint me a"}
FAQ = [
    FaqEntry("parking.en", "Where can I park?", "Behind the shop.", variants=("is there a car park",), lang="en"),
    FaqEntry("dogs.en", "May my dog come in?", "Yes, on a lead.", variants=("are pets allowed",), lang="en"),
]


@pytest.fixture(scope="module")
def little_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained BERT of two narrow layers with a real tokenizer."""
    folder = tmp_path_factory.mktemp("encoder") / "little-bert"
    source = load_pretrained(MINILM_NAME, folder.parent, ["en"]).folder
    torch.manual_seed(0)
    config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    for path in source.glob("tokenizer*"):
        shutil.copy(path, folder)
    return folder


def examples() -> list[Example]:
    """Wishes about coloured things, a third of them with a mood as well."""
    made = []
    for place, (intent, words) in enumerate(WISHES.items()):
        for number, colour in enumerate(COLOURS):
            for thing in THINGS:
                labels = {"intent": intent}
                if intent != "oos" and (number + place) % 3 == 0:
                    labels["emotion"] = "anger" if colour == "red" else "joy"
                made.append(Example(f"{words} {colour} {thing}", labels, lang="en"))
    return made


def config(little_bert: Path) -> TrainingConfig:
    return TrainingConfig(encoder=str(little_bert), languages=("en",), epochs=2, holdout=0.2, learning_rate=1e-3)


def test_a_release_is_whole_and_its_encoder_serves_sentence_transformers(little_bert: Path, tmp_path: Path) -> None:
    test = [Example("where is my grey hat", {"intent": "order_status"}), Example("paint me a sky", {"intent": "oos"})]
    queries = [FaqQuery("where do I park the car", ("parking.en",), "en")]
    out = tmp_path / "release"
    mistaken = Example("where is my very red lamp", {"intent": "return_request"}, lang="en", split="train")
    made = train_release(TrainingSet([*examples(), mistaken], FAQ, test, queries), config(little_bert), out, tmp_path)
    verify(out)
    assert read_manifest(out) == made
    assert made.heads == {"emotion": ["anger", "joy"], "intent": sorted(WISHES)}
    assert {"test", "held_out", "faq_before"} <= set(made.metrics)
    assert made.metrics["faq_before"].keys() == made.metrics["test"]["faq"].keys()
    assert "| figure | pretrained encoder | this release |" in (out / "card.md").read_text("utf-8")
    suspicious = f"| intent | {mistaken.text} | return_request | order_status |"
    assert suspicious in (out / "card.md").read_text("utf-8")
    assert "![Wrong answers by texts answered](risk.svg)" in (out / "card.md").read_text("utf-8")
    assert (out / "risk.svg").read_text("utf-8").startswith("<svg")
    assert [entry.id for entry in FaqIndex.load(out).entries] == [entry.id for entry in FAQ]

    understander = load_understander(out)
    said = ["where is my red lamp", "send back the black bag"]
    assert [reading.heads["intent"].label for reading in understander.understand(said)] == [*list(WISHES)[:2]]
    neighbours = Neighbours.load(out)
    by_erasure = explain(understander, neighbours, "send back the black bag")
    assert by_erasure is not None
    assert (by_erasure.label, by_erasure.method) == ("return_request", "erasure")
    assert [token.text for token in by_erasure.tokens] == ["send", "back", "the", "black", "bag"]
    assert all(by_erasure.text[token.start : token.end] == token.text for token in by_erasure.tokens)
    assert {"send", "back"} & {token.text for token in sorted(by_erasure.tokens, key=lambda t: -t.weight)[:2]}
    assert by_erasure.neighbours[0].labels["intent"] == "return_request"
    by_gradients = attribute(out, understander, by_erasure)
    assert {"send", "back"} & {token.text for token in sorted(by_gradients.tokens, key=lambda t: -t.weight)[:2]}
    assert explain(understander, neighbours, "\u200b") is None
    assert len(explain(understander, neighbours, "send " * 300).tokens) > 100  # type: ignore[union-attr]

    vectors = SentenceTransformer(str(out / ENCODER_FOLDER), device="cpu").encode(said)
    assert (vectors * understander.embed(said)).sum(1).min() > 0.99


def test_what_is_doubtful_about_the_examples_is_in_the_card(little_bert: Path, tmp_path: Path) -> None:
    clash = Example("where is my red lamp", {"intent": "return_request"}, lang="en")
    still = config(little_bert).model_copy(update={"trained_layers": 0})
    made = train_release(TrainingSet([*examples(), clash]), still, tmp_path / "out", tmp_path)
    said = '"where is my red lamp" has more than one intent: order_status, return_request.'
    assert said in made.metrics["notices"]
    assert f"- {said}\n" in (tmp_path / "out" / "card.md").read_text("utf-8")


def test_the_faq_bears_the_wanted_risk(little_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    borne: list[float] = []
    build = FaqIndex.build

    def seen(*given: Any, **options: Any) -> FaqIndex:
        borne.append(options["risk"])
        return build(*given, **options)

    monkeypatch.setattr(FaqIndex, "build", seen)
    settings = config(little_bert).model_copy(update={"risk": 0.2, "trained_layers": 0})
    train_release(TrainingSet(examples(), FAQ), settings, tmp_path / "out", tmp_path)
    assert borne == [0.2]


def test_a_release_needs_no_faq_and_goes_on_from_a_parent(little_bert: Path, tmp_path: Path) -> None:
    first = train_release(TrainingSet(examples()), config(little_bert), tmp_path / "first", tmp_path)
    gentle = config(little_bert).model_copy(update={"trained_layers": 0})
    second = train_release(
        TrainingSet(examples()), gentle, tmp_path / "second", tmp_path, parent=tmp_path / "first"
    )  # fmt: skip
    assert (first.parent, second.parent) == (None, first.name)
    left, right = (load_file(tmp_path / name / ENCODER_FOLDER / "model.safetensors") for name in ("first", "second"))
    assert left.keys() == right.keys()
    assert all(np.array_equal(values, right[name]) for name, values in left.items())


@pytest.mark.parametrize("way", [FULL, QUANTISED])
def test_a_head_that_is_fitted_anew_changes_nothing_else(
    way: str, little_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as chosen:
        chosen.setattr(Variant, "is_faithful", True)
        chosen.setattr("training.train.export_graph", lambda *given: export_graph(*given[:5], way))
        train_release(TrainingSet(examples()), config(little_bert), tmp_path / "first", tmp_path)
    gentle = config(little_bert).model_copy(update={"trained_layers": 0})
    news = [Example("zebra zebra lamp", {"intent": "return_request"}, lang="en")] * 9
    second = train_release(
        TrainingSet([*news, *examples()]),
        gentle,
        tmp_path / "second",
        tmp_path,
        parent=tmp_path / "first",
        relearn={"intent"},
    )
    assert second.metrics["runtime"] == {"chosen": way, "kept": second.parent}
    said = ["where is my red lamp", "zebra lamp"]
    before, after = (load_understander(tmp_path / name).understand(said) for name in ("first", "second"))
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old.vector, new.vector)
        assert old.heads["emotion"].label == new.heads["emotion"].label
        assert old.heads["intent"] != new.heads["intent"]
    assert after[1].heads["intent"].label == "return_request"


def test_other_labels_need_another_graph(little_bert: Path, tmp_path: Path) -> None:
    train_release(TrainingSet(examples()), config(little_bert), tmp_path / "first", tmp_path)
    gentle = config(little_bert).model_copy(update={"trained_layers": 0})
    more = [Example(f"sing me song {number}", {"intent": "sing"}, lang="en") for number in range(8)]
    second = train_release(
        TrainingSet([*more, *examples()]), gentle, tmp_path / "second", tmp_path, parent=tmp_path / "first"
    )
    assert "kept" not in second.metrics["runtime"]
    (reading,) = load_understander(tmp_path / "second").understand(["sing me song 3"])
    assert reading.heads["intent"].label == "sing"


def test_without_a_parent_every_head_is_fitted(little_bert: Path, tmp_path: Path) -> None:
    still = config(little_bert).model_copy(update={"trained_layers": 0})
    spoken = [Example("where is my red lamp", {"intent": "order_status"}, (Span(12, 15, "colour"),), "en")] * 4
    train_release(TrainingSet([*examples(), *spoken]), still, tmp_path / "made", tmp_path, relearn={"emotion"})
    (reading,) = load_understander(tmp_path / "made").understand(["where is my red lamp"])
    assert reading.heads["intent"].label == "order_status"
    assert [entity.text for entity in reading.entities] == ["red"]


def test_what_is_rare_is_learnt_though_it_calibrates(
    little_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[tuple[int, set[str]]] = []

    def seen(prepared: Prepared, reader: Reader, config: TrainingConfig, **given: Any) -> float:
        learnt.append((len(prepared.held), {example.text for example in prepared.taught}))
        return learn(prepared, reader, config, **given)

    monkeypatch.setattr("training.train.learn", seen)
    few, many = config(little_bert).model_copy(update={"learn_held_out": 40}), config(little_bert)
    made = train_release(TrainingSet(examples()), few, tmp_path / "few", tmp_path)
    (held, part), (_, whole) = learnt
    assert held > 0
    assert part < whole == {example.text for example in examples()}
    assert len(Neighbours.load(tmp_path / "few").texts) == len(whole)
    assert made.metrics["held_out_learnt"]
    assert "had not learnt these texts" in (tmp_path / "few" / "card.md").read_text("utf-8")
    assert not fits(made, few, examples())

    learnt.clear()
    made = train_release(TrainingSet(examples()), many, tmp_path / "many", tmp_path)
    assert [texts == part for _, texts in learnt] == [True]
    assert not made.metrics["held_out_learnt"]
    assert fits(made, many, examples())


def test_a_doubted_label_is_not_learnt(little_bert: Path, tmp_path: Path) -> None:
    mistaken = Example("where is my very red lamp", {"intent": "return_request"}, lang="en", split="train")
    believed = []
    for doubted in (1.0, 0.0):
        settings = config(little_bert).model_copy(update={"trained_layers": 0, "doubted": doubted})
        prepared = prepare(TrainingSet([*examples(), mistaken]), settings, tmp_path)
        reader = prepared.reader(settings)
        learn(prepared, reader, settings)
        row = [example.text for example in prepared.taught].index(mistaken.text)
        chances = softmax(read_all(reader, prepared.learnt[row : row + 1], prepared.pad_id).logits["intent"])
        believed.append(chances[0, prepared.sets.heads["intent"].index("return_request")])
    assert believed[1] < 0.5 * believed[0]


def test_a_release_may_have_entities_alone(little_bert: Path, tmp_path: Path) -> None:
    said = [
        Example(f"{words} {colour} {thing}", {}, (Span(len(words) + 1, len(words) + 1 + len(colour), "colour"),), "en")
        for words in WISHES.values()
        for colour in COLOURS
        for thing in THINGS
    ]
    out = tmp_path / "release"
    made = train_release(TrainingSet(said, test=said[:8]), config(little_bert), out, tmp_path)
    assert (made.heads, list(made.entity_types)) == ({}, ["colour"])
    assert made.metrics["test"]["entities"]["f1"] > 0.9
    (reading,) = load_understander(out).understand(["send back the red shoe"])
    assert [(entity.text, entity.type) for entity in reading.entities] == [("red", "colour")]
    assert (dict(reading.heads), reading.oos) == ({}, 0.0)


@pytest.mark.parametrize("method", ["lora", "adalora", "ia3"])
def test_adapters_learn_and_leave_an_ordinary_encoder(little_bert: Path, tmp_path: Path, method: str) -> None:
    settings = {"method": method, "learning_rate": 1e-2, "anchor": 0.0, "contrastive": 0.1}
    learning = config(little_bert).model_copy(update=settings)
    train_release(TrainingSet(examples()), learning, tmp_path / "made", tmp_path)
    still = learning.model_copy(update={"trained_layers": 0})
    train_release(TrainingSet(examples()), still, tmp_path / "still", tmp_path)
    made, before = (load_file(tmp_path / name / ENCODER_FOLDER / "model.safetensors") for name in ("made", "still"))
    assert made.keys() == before.keys()
    changed = {name for name, values in made.items() if not np.array_equal(values, before[name])}
    assert changed
    assert all(name.startswith("encoder.layer.") and name.endswith("weight") for name in changed)
    said = ["where is my red lamp", "send back the black bag"]
    readings = load_understander(tmp_path / "made").understand(said)
    assert [reading.heads["intent"].label for reading in readings] == [*list(WISHES)[:2]]


def test_a_model_of_fewer_layers_learns_from_a_larger_one(little_bert: Path, tmp_path: Path) -> None:
    train_release(TrainingSet(examples()), config(little_bert), tmp_path / "teacher", tmp_path)
    smaller = config(little_bert).model_copy(update={"layers": 1, "teachers": (tmp_path / "teacher",)})
    train_release(TrainingSet(examples()), smaller, tmp_path / "learner", tmp_path)
    weights = load_file(tmp_path / "learner" / ENCODER_FOLDER / "model.safetensors")
    assert {name.split(".")[2] for name in weights if name.startswith("encoder.layer.")} == {"0"}
    said = ["where is my red lamp", "send back the black bag", "paint me a blue chair"]
    teacher, learner = (load_understander(tmp_path / name).understand(said) for name in ("teacher", "learner"))
    assert [r.heads["intent"].label for r in teacher] == [r.heads["intent"].label for r in learner]
    assert min(float(left.vector @ right.vector) for left, right in zip(teacher, learner, strict=True)) > 0.8


def test_a_run_goes_on_only_with_the_same_teacher(
    little_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def seen(*_: object, **given: Any) -> float:
        keys.append(given["fingerprint"])
        raise KeyboardInterrupt

    teacher = tmp_path / "teacher"
    train_release(TrainingSet(examples()), config(little_bert), teacher, tmp_path)
    learning = config(little_bert).model_copy(update={"teachers": (teacher,)})
    monkeypatch.setattr("training.train.learn", seen)
    for replaced in (False, False, True):
        if replaced:
            monkeypatch.setattr("training.train.learn", learn)
            still = config(little_bert).model_copy(update={"trained_layers": 0})
            train_release(TrainingSet(examples()), still, teacher, tmp_path)
            monkeypatch.setattr("training.train.learn", seen)
        with pytest.raises(KeyboardInterrupt):
            train_release(TrainingSet(examples()), learning, tmp_path / "out", tmp_path)
    assert keys[0] == keys[1] != keys[2]


def test_a_teacher_of_other_labels_is_refused(little_bert: Path, tmp_path: Path) -> None:
    others = [Example(e.text, {"topic": e.labels["intent"]}) for e in examples()]
    train_release(TrainingSet(others), config(little_bert), tmp_path / "teacher", tmp_path)
    learning = config(little_bert).model_copy(update={"teachers": (tmp_path / "teacher",)})
    with pytest.raises(ReleaseError, match="teaches none of the heads emotion, intent"):
        train_release(TrainingSet(examples()), learning, tmp_path / "learner", tmp_path)


def test_a_parent_of_another_encoder_is_refused(little_bert: Path, tmp_path: Path) -> None:
    train_release(TrainingSet(examples()), config(little_bert), tmp_path / "first", tmp_path)
    manifest = tmp_path / "first" / "manifest.json"
    content = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps({**content, "encoder_fingerprint": "0" * 64}))
    with pytest.raises(ReleaseError, match="another encoder"):
        train_release(
            TrainingSet(examples()), config(little_bert), tmp_path / "second", tmp_path, parent=tmp_path / "first"
        )


def never(*_: object, **__: object) -> float:
    raise AssertionError("nothing may be trained")


def test_what_would_end_a_training_is_found_before_it(
    little_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.train.learn", never)
    plain, settings = TrainingSet(examples(), FAQ), config(little_bert)
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("x")
    for out in ("file", "file/release", "full"):
        with pytest.raises(ReleaseError, match=r"is no folder|cannot be written|is no release"):
            train_release(plain, settings, tmp_path / out, tmp_path)
    asked = replace(plain, faq_queries=[FaqQuery("no dogs", ("cats.en",))])
    with pytest.raises(FaqError, match=r"'no dogs': cats\.en not in the FAQ"):
        train_release(asked, settings, tmp_path / "out", tmp_path)
    still = settings.model_copy(update={"trained_layers": 0, "teachers": (tmp_path / "nosuch",)})
    with pytest.raises(ReleaseError, match="nosuch"):
        train_release(plain, still, tmp_path / "out", tmp_path)
    assert not list(tmp_path.glob(".partial-*"))


UNLEARNABLE = {
    "all held out": ([replace(e, split="valid") for e in examples()], {}, "All 120 examples"),
    "labels in held-out ones alone": (
        [Example("hello"), *(replace(e, split="valid") for e in examples())],
        {},
        "no other one has a label",
    ),
    "two examples": (
        [Example("hi", {"intent": "greeting"}), Example("bye", {"intent": "goodbye"})],
        {},
        "Nothing is held out of 2 examples",
    ),
    "nothing in scope held out": (
        [replace(e, split="valid" if e.labels["intent"] == "oos" else "") for e in examples()],
        {},
        "Nothing is held out of 120 examples",
    ),
    "nothing held out": (examples(), {"holdout": 0.001}, "Nothing is held out of 120 examples"),
}


@pytest.mark.parametrize(("said", "settings", "says"), UNLEARNABLE.values(), ids=UNLEARNABLE)
def test_examples_that_cannot_be_learnt_from_are_refused(
    little_bert: Path, tmp_path: Path, said: list[Example], settings: dict[str, Any], says: str
) -> None:
    learning = config(little_bert).model_copy(update=settings)
    with pytest.raises(InputError, match=says):
        train_release(TrainingSet(said), learning, tmp_path / "out", tmp_path)


def test_texts_are_cut_to_what_the_encoder_can_take(little_bert: Path, tmp_path: Path) -> None:
    short = shutil.copytree(little_bert, tmp_path / "short")
    sizes = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    BertModel(sizes, add_pooling_layer=False).save_pretrained(short)
    long = Example("where is my red lamp " * 10, {"intent": "order_status"}, lang="en")
    still = config(short).model_copy(update={"trained_layers": 0})
    made = train_release(TrainingSet([*examples(), long]), still, tmp_path / "out", tmp_path)
    assert made.max_tokens == 16
    assert fits(made, still, examples())


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left")])
def test_a_full_disk_at_the_end_is_told(
    little_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("training.train.save_encoder", refuse)
    monkeypatch.setattr("training.train.learn", lambda *_, **__: 0.5)
    with pytest.raises(ReleaseError, match=r"the release cannot be written.*Free disk space"):
        train_release(TrainingSet(examples()), config(little_bert), tmp_path / "out", tmp_path)
    assert not list(tmp_path.glob(".partial-*"))


def test_what_a_killed_run_left_is_cleared_once_it_is_stale(
    little_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.train.prepare", never)
    long_ago = time.time() - 200_000
    for name in (".partial-out-old", ".partial-out-new", ".partial-other-old"):
        (tmp_path / name / "release").mkdir(parents=True)
        (tmp_path / name / "release" / "model.onnx").write_text("half")
        for path in (tmp_path / name, *(tmp_path / name).rglob("*")) if name.endswith("old") else ():
            os.utime(path, (long_ago, long_ago))
    with pytest.raises(AssertionError, match="nothing may be trained"):
        train_release(TrainingSet(examples()), config(little_bert), tmp_path / "out", tmp_path)
    assert sorted(path.name for path in tmp_path.glob(".partial-*")) == [".partial-other-old", ".partial-out-new"]


def test_a_data_folder_that_is_a_file_is_told(little_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("x")
    with pytest.raises(InputError, match="FRONTDESK_DATA_DIR"):
        train_release(TrainingSet(examples()), config(little_bert), tmp_path / "out", tmp_path / "var")


def test_questions_variants_and_translations_are_paired() -> None:
    entries = [
        FaqEntry("a.en", "Hours?", "9 to 5", variants=("open when",), lang="en"),
        FaqEntry("a.zh", "几点开门？", "九点", variants=("营业时间",), lang="zh"),
        FaqEntry("b", "Dogs?", "Yes"),
    ]
    texts, pairs = pair_faq(entries, first_row=10)
    said = [(texts[pair.left - 10], texts[pair.right - 10], pair.entry) for pair in pairs]
    assert len(texts) == len(set(texts))
    assert said == [
        ("Hours?", "open when", "a"),
        ("几点开门？", "营业时间", "a"),
        ("Hours?", "几点开门？", "a"),
    ]
