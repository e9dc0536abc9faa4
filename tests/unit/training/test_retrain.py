from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import training.retrain as subject
from nlu.examples import Example, Span, fingerprint
from nlu.releases import Manifest, ReleaseStore, new_name, write_manifest
from nlu.types import Distribution, InputError, ReleaseError, Score, Understanding, Vector
from training import retrain_report
from training.config import TrainingConfig
from training.logged import LoggedTurn
from training.prepare import TrainingSet
from training.promote import Outcomes
from training.retrain import RetrainInputs, preview, refused_before, retrain
from training.retrain_report import Status
from training.warm_start import config_like, fits, warm_starts

LABELS = ("goodbye", "order_status")
BASE = [Example(f"{label} {i}", {"intent": label}) for label in LABELS for i in range(10)]
TEST = [Example(f"test {label}", {"intent": label}) for label in LABELS]
WORDS = "stuff where"
GOOD = [LoggedTurn(i, f"{WORDS} {chr(97 + i)}", corrections={"intent": "order_status"}) for i in range(3)]
POISON = [LoggedTurn(i, f"order_status {i}", corrections={"intent": "goodbye"}) for i in range(3)]
MANIFEST = Manifest(
    name=new_name(),
    encoder="minilm-l6-en",
    encoder_fingerprint="f",
    prefix="",
    max_tokens=128,
    heads={"intent": list(LABELS)},
    languages=["zh", "en"],
    seed=7,
    config={"encoder": "minilm-l6-en", "seed": 7},
    fingerprints={"examples": "with what a log added", "base": fingerprint(BASE)},
)


def make_release(folder: Path, name: str) -> Manifest:
    folder.mkdir(parents=True)
    (folder / "card.md").write_text(name)
    return write_manifest(folder, replace(MANIFEST, name=name))


@dataclass
class World:
    """A store with one release, and a trainer that makes what it is told to."""

    data_dir: Path
    store: ReleaseStore
    first: str
    results: list[Outcomes] = field(default_factory=list)
    trained: list[tuple[TrainingConfig, Path | None, TrainingSet]] = field(default_factory=list)
    relearnt: list[set[str] | None] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    reads: str = "order_status"

    def train(self, material: TrainingSet, config: TrainingConfig, out: Path, data_dir: Path, **given: Any) -> Manifest:
        self.trained.append((config, given["parent"], material))
        self.relearnt.append(given["relearn"])
        self.meanwhile()
        return make_release(out, f"r20261122-10000{len(self.trained)}-abc123")

    def measure(self, release: Any, trial: Any) -> Outcomes:
        return self.results.pop(0)

    def read(self, texts: list[str]) -> list[Understanding]:
        heads = {"intent": Distribution((Score(self.reads, 0.6),))}
        return [Understanding(text, "en", heads, (), 0.0, np.eye(4, dtype=np.float32)[0], "r") for text in texts]

    def vectors(self, texts: list[str]) -> Vector:
        return np.repeat(np.eye(4, dtype=np.float32)[:1], len(texts), axis=0)

    def load(self, folder: Path) -> Any:
        assert (folder / "manifest.json").is_file()
        return SimpleNamespace(index=SimpleNamespace(entries=()), read=self.read, vectors=self.vectors)

    def releases(self) -> list[str]:
        return [name for name in self.store.names() if name != self.first]

    def leftovers(self) -> list[Path]:
        return list(self.store.root.glob(".partial-*"))

    def report(self) -> dict[str, Any]:
        (path,) = (self.data_dir / "retrain").glob("*.json")
        return dict(json.loads(path.read_text("utf-8")))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    store = ReleaseStore(tmp_path / "releases")
    first = "r20261121-100000-abc123"
    make_release(store.root / first, first)
    store.promote(first)
    made = World(tmp_path, store, first)
    monkeypatch.setattr(subject, "train_release", made.train)
    monkeypatch.setattr(subject, "measure", made.measure)
    monkeypatch.setattr(subject, "OpenedRelease", made)
    return made


def inputs(turns: list[LoggedTurn], test: list[Example] = TEST) -> RetrainInputs:
    return RetrainInputs(turns, BASE, (), test, (), {"intent": ("goodbye",)}, TrainingConfig(languages=("zh", "en")))


def scored(followed: int, right: int = 2) -> Outcomes:
    return Outcomes({"intent": [row < right for row in range(2)]}, corrected=[row < followed for row in range(3)])


def test_a_better_candidate_is_promoted(world: World) -> None:
    world.results = [scored(0), scored(3)]
    told = retrain(inputs(GOOD), world.store, world.data_dir)
    assert told.status is Status.PROMOTED
    assert world.releases() == [told.candidate]
    assert world.store.current() == told.candidate
    assert world.report()["candidate"] == told.candidate
    assert not world.leftovers()
    config, parent, material = world.trained[0]
    assert (parent, config.encoder, config.seed) == (world.store.path(world.first), "minilm-l6-en", 7)
    assert sum(example.text.startswith(WORDS) and example.split != "valid" for example in material.examples) == 30


def test_a_refused_candidate_is_kept_and_explained(world: World) -> None:
    world.results = [scored(0), scored(3, right=0), scored(3, right=0)]
    told = retrain(inputs(GOOD), world.store, world.data_dir)
    assert told.status is Status.REFUSED
    assert any("protected" in reason for reason in told.reasons)
    assert world.store.current() == world.first
    assert world.releases() == [told.candidate]
    assert world.report()["reasons"] == list(told.reasons)


def test_the_encoder_moves_where_the_heads_alone_do_not_learn(world: World) -> None:
    world.results = [scored(0), scored(1), scored(3)]
    told = retrain(inputs(GOOD), world.store, world.data_dir)
    assert [config.trained_layers for config, _, _ in world.trained] == [0, TrainingConfig().trained_layers]
    assert world.store.current() == told.candidate == world.releases()[0]
    assert sum(told.after.corrected if told.after else ()) == 3


def test_only_heads_that_the_log_speaks_of_are_fitted_where_the_base_is_the_same(world: World) -> None:
    world.results = [scored(0), scored(3)]
    retrain(inputs(GOOD), world.store, world.data_dir)
    assert world.relearnt == [{"intent"}]
    assert world.trained[0][2].base == BASE


def test_every_head_learns_what_was_edited_among_the_base_examples(world: World) -> None:
    world.results = [scored(0), scored(3)]
    edited = replace(inputs(GOOD), base=[*BASE, Example("another goodbye", {"intent": "goodbye"})])
    retrain(edited, world.store, world.data_dir)
    assert world.relearnt == [None]


@pytest.mark.parametrize(("then", "taken"), [(1, 1), (2, 2)], ids=["no better", "better"])
def test_of_two_that_pass_the_better_one_is_taken(world: World, then: int, taken: int) -> None:
    world.results = [scored(0), scored(1), scored(then, right=2 if then == 2 else 1)]
    free = replace(inputs(GOOD), protected={})
    told = retrain(free, world.store, world.data_dir)
    assert told.status is Status.PROMOTED
    assert world.store.current() == f"r20261122-10000{taken}-abc123"


def test_what_is_protected_in_vain_is_told(world: World) -> None:
    world.results = [scored(0), scored(3)]
    vain = replace(inputs(GOOD), protected={"intent": ("goodbye", "danger"), "emotion": ("anger",)})
    for told in (preview(vain), retrain(vain, world.store, world.data_dir)):
        assert [sentence.partition(" has")[0] for sentence in told.unguarded] == [
            "The protected intent danger",
            "The protected emotion anger",
        ]
        assert told.to_json()["unguarded"] == list(told.unguarded)


def test_what_passed_the_gate_is_taken_where_the_next_try_does_not(world: World) -> None:
    world.results = [scored(0), scored(1), scored(3, right=0)]
    told = retrain(inputs(GOOD), world.store, world.data_dir)
    assert told.status is Status.PROMOTED
    assert world.store.current() == world.releases()[0] == "r20261122-100001-abc123"


def test_poisoned_corrections_are_refused_before_anything_is_trained(world: World) -> None:
    told = retrain(inputs(POISON), world.store, world.data_dir)
    assert told.status is Status.REFUSED
    assert "3 of 3 corrections that are news contradict" in told.reasons[0]
    assert len(told.suspicious) == 3
    assert not world.trained
    assert world.store.current() == world.first


def test_what_was_learnt_long_ago_does_not_hide_a_poisoned_set(world: World) -> None:
    learnt = [LoggedTurn(10 + i, f"{WORDS} {chr(97 + i)}", corrections={"intent": "order_status"}) for i in range(20)]
    told = retrain(inputs([*learnt, *POISON]), world.store, world.data_dir)
    assert told.status is Status.REFUSED
    assert not world.trained


def test_the_report_on_the_disk_quotes_nobody(world: World) -> None:
    retrain(inputs(POISON), world.store, world.data_dir)
    document = world.report()
    assert document["suspicious_turns"] == [0, 1, 2]
    assert "order_status 0" not in json.dumps(document)


@pytest.mark.parametrize("turns", [[], [LoggedTurn(1, "hi there")]], ids=["no turns", "nothing said about them"])
def test_nothing_to_learn(world: World, turns: list[LoggedTurn]) -> None:
    assert retrain(inputs(turns), world.store, world.data_dir).status is Status.NOTHING_NEW
    assert not world.trained


def test_the_same_material_is_not_learnt_twice_and_more_of_it_is(world: World) -> None:
    world.results = [scored(0), scored(3), scored(3), Outcomes(corrected=[True] * 4, heads=scored(3).heads)]
    retrain(inputs(GOOD), world.store, world.data_dir)
    assert retrain(inputs(GOOD), world.store, world.data_dir).status is Status.NOTHING_NEW
    more = [*GOOD, LoggedTurn(9, "no parcel yet", corrections={"intent": "order_status"})]
    assert retrain(inputs(more), world.store, world.data_dir).status is Status.PROMOTED


def test_a_refusal_is_remembered_for_the_same_material_and_release(world: World) -> None:
    assert not refused_before(inputs(POISON), world.store, world.data_dir)
    retrain(inputs(POISON), world.store, world.data_dir)
    assert refused_before(inputs(POISON), world.store, world.data_dir)
    assert not refused_before(inputs(POISON[:2]), world.store, world.data_dir)
    other = "r20261123-100000-abc123"
    make_release(world.store.root / other, other)
    world.store.promote(other)
    assert not refused_before(inputs(POISON), world.store, world.data_dir)


def test_a_damaged_report_is_passed_over(world: World) -> None:
    (world.data_dir / "retrain").mkdir()
    (world.data_dir / "retrain" / "r.json").write_text("{")
    (world.data_dir / "retrain" / "s.json").write_text("[]")
    assert not refused_before(inputs(POISON), world.store, world.data_dir)


def test_another_promotion_meanwhile_wins(world: World) -> None:
    other = "r20261123-100000-abc123"

    def promote_other() -> None:
        make_release(world.store.root / other, other)
        world.store.promote(other)

    world.meanwhile, world.results = promote_other, [scored(0), scored(3)]
    with pytest.raises(ReleaseError, match="another release was promoted meanwhile"):
        retrain(inputs(GOOD), world.store, world.data_dir)
    assert world.store.current() == other


def test_another_promotion_in_the_last_moment_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "r20261123-100000-abc123"

    def promote_other(*_: object) -> None:
        make_release(world.store.root / other, other)
        world.store.promote(other)

    monkeypatch.setattr(subject, "write_report", promote_other)
    world.results = [scored(0), scored(3)]
    with pytest.raises(ReleaseError, match="promoted meanwhile"):
        retrain(inputs(GOOD), world.store, world.data_dir)
    assert world.store.current() == other


def fail() -> None:
    raise ReleaseError("disk full")


def kill() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("end", "error"), [(fail, ReleaseError), (kill, KeyboardInterrupt)])
def test_an_end_during_training_leaves_everything_as_it_was(
    world: World, end: Callable[[], None], error: type[BaseException]
) -> None:
    world.meanwhile, world.results = end, [scored(0)]
    with pytest.raises(error):
        retrain(inputs(GOOD), world.store, world.data_dir)
    assert (world.store.current(), world.releases(), world.leftovers()) == (world.first, [], [])


def test_a_full_disk_at_the_report_leaves_current(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(retrain_report, "write_atomically", refuse)
    world.results = [scored(0), scored(3)]
    with pytest.raises(ReleaseError, match="`current` is unchanged"):
        retrain(inputs(GOOD), world.store, world.data_dir)
    assert world.store.current() == world.first


def test_needs_a_frozen_test_set(world: World) -> None:
    with pytest.raises(InputError, match=r"test\.jsonl"):
        retrain(inputs(GOOD, []), world.store, world.data_dir)


def test_needs_a_current_release(world: World, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="no release was promoted"):
        retrain(inputs(GOOD), ReleaseStore(tmp_path / "none"), world.data_dir)


def test_preview_shows_everything_and_does_nothing(world: World) -> None:
    document = preview(inputs([*GOOD, LoggedTurn(9, "hi there")])).to_json()
    assert document["status"] == "preview"
    assert [example["text"] for example in document["examples"]] == [turn.text for turn in GOOD]
    assert document["taken"] == {"correction": 3}
    assert document["dropped"] == {"neither corrected nor confirmed": 1}
    assert not (world.data_dir / "retrain").exists()
    json.dumps(document)


def test_warm_starts_are_valid_settings_and_go_from_gentle_to_firm() -> None:
    config = TrainingConfig()
    gentle, firm = (TrainingConfig.model_validate(warm.model_dump()) for warm in warm_starts(config))
    assert gentle.trained_layers == 0
    assert (firm.trained_layers, firm.anchor) == (config.trained_layers, config.anchor)
    assert firm.learning_rate < config.learning_rate
    assert firm.epochs < config.epochs


def test_a_successor_inherits_what_the_settings_leave_open() -> None:
    assert config_like(TrainingConfig(epochs=4), MANIFEST).encoder == "minilm-l6-en"
    named = config_like(TrainingConfig(encoder="e5-small-multilingual"), MANIFEST)
    assert (named.encoder, named.seed) == ("e5-small-multilingual", 7)
    shortened = replace(MANIFEST, config={**MANIFEST.config, "layers": 3})
    assert config_like(TrainingConfig(), shortened).layers == 3
    assert not fits(shortened, config_like(TrainingConfig(layers=0), shortened), BASE)


@pytest.mark.parametrize(
    ("config", "base", "fitting"),
    [
        ({}, BASE, True),
        ({"encoder": "e5-small-multilingual"}, BASE, False),
        ({"languages": ("en",)}, BASE, False),
        ({"max_tokens": 64}, BASE, False),
        ({}, [*BASE, Example("x", {"intent": "new"})], False),
        ({}, BASE[:10], False),
        ({}, [*BASE, Example("x", {"intent": "new"}, split="test")], True),
        ({"layers": 3}, BASE, False),
        ({}, [*BASE, Example("blue lamp", {}, (Span(5, 9, "product"),))], False),
    ],
    ids=[
        "same",
        "encoder",
        "languages",
        "length",
        "new label",
        "label gone",
        "new label in a test text",
        "layers",
        "new entity type",
    ],
)
def test_when_a_release_can_be_gone_on_from(config: dict[str, Any], base: list[Example], fitting: bool) -> None:
    like = config_like(TrainingConfig(), MANIFEST).model_copy(update=config)
    assert fits(MANIFEST, like, base) is fitting


def test_turns_that_nobody_spoke_about_are_learnt_where_the_settings_want_it(world: World) -> None:
    said = [*GOOD, LoggedTurn(9, "hello nobody labelled this")]
    world.results = [scored(0), scored(3)]
    retrain(inputs(said), world.store, world.data_dir)
    assert world.trained[0][2].unsure == []

    world.results = [scored(0), scored(3)]
    wanted = replace(inputs([*said, LoggedTurn(10, f"{WORDS} z", corrections={"intent": "order_status"})]))
    wanted = replace(wanted, config=wanted.config.model_copy(update={"pseudo_labels": 0.55}))
    retrain(wanted, world.store, world.data_dir)
    assert [example.text for example in world.trained[1][2].unsure] == ["hello nobody labelled this"]
