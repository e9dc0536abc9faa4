"""Examples and FAQ in, a sealed release folder out: train, calibrate, index, write down what was learnt."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from nlu.durable import PARTIAL, clear_stale
from nlu.examples import Example, fingerprint
from nlu.model import Reader
from nlu.neighbours import Neighbours
from nlu.pretrained import PretrainedEncoder, quiet_transformers
from nlu.releases import Manifest, new_name, read_manifest, seal, write_manifest
from nlu.runtime import ENCODER_FOLDER, GRAPH_FILE, load_engine, load_understander, save_calibration
from nlu.sealing import check_replaceable
from nlu.torch_engine import save_heads
from nlu.types import OUT_OF_SCOPE, InputError, ReleaseError, Vector
from retrieval.index import FaqIndex
from retrieval.types import FaqError
from training.calibrate import Calibrated, calibrate
from training.card import Doubt, write_card
from training.config import TrainingConfig
from training.datasets import NO_LABEL, LabelSets, label_array
from training.edges import entity_edges
from training.evaluate import evaluate, faq_metrics
from training.example_faults import example_faults
from training.export import export_graph, keep_graph
from training.fit import Progress
from training.label_issues import find_label_issues
from training.learn import learn
from training.prepare import Prepared, TrainingSet, prepare
from training.processes import Processes
from training.reading import read_all, read_with
from training.recipe import choose_recipe
from training.run_log import run_log
from training.transitions import tag_transitions

_VERSIONS = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "onnxruntime", "numpy", "tokenizers")


def train_release(
    training_set: TrainingSet,
    config: TrainingConfig,
    out: Path,
    data_dir: Path,
    *,
    parent: Path | None = None,
    relearn: Collection[str] | None = None,
    work: Path | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> Manifest:
    """Trains a release and seals it at `out`.

    Args:
        training_set: what to learn from.
        config: how.
        out: the release's folder; an older release there is replaced once the new one is whole.
        data_dir: where unpacked encoders are kept.
        parent: a release to start from instead of the pretrained encoder; it must be of the same encoder.
        relearn: which heads are fitted where no layer learns (`trained_layers: 0`) and a parent gives the others; None
            for all.
        work: where checkpoints are kept until the release is there; beside `out` where None.
        report: told the progress.

    Returns:
        The manifest of the new release.

    Raises:
        InputError: the examples cannot be learnt from.
        FaqError: a query names an entry that is not in the FAQ.
        ReleaseError: the release cannot be written, a teacher is missing, or the parent does not fit.
    """
    config = choose_recipe(config, training_set)
    _check(training_set, config, out)
    _set_up(config)
    prepared = prepare(training_set, config, data_dir)
    _check_held_out(prepared, config)
    encoder, sets, examples = prepared.encoder, prepared.sets, prepared.examples
    reader = prepared.reader(config)
    before = _faq_before(training_set, reader, prepared)
    name = new_name(config.seed)
    processes, work = Processes.join(), work or out.parent / f".{out.name}.work"
    with run_log(data_dir / "runs" / name, config) if processes.first else nullcontext(_silent) as log:

        def both(progress: Progress) -> None:
            if processes.first:
                report(progress)
            log(progress)

        run = partial(learn, config=config, parent=parent, relearn=relearn, processes=processes, report=both)
        key = _run_key(training_set, config, encoder, parent)
        run(prepared, reader, work=work, fingerprint=key)
        calibrated = None
        if few := prepared.usual_count <= config.learn_held_out:
            # What is rare is too precious to be held out: it calibrates one model, and the next one learns it.
            calibrated = _calibrate(reader, prepared, config)
            prepared = prepare(training_set, config, data_dir, learn_held_out=True)
            reader = prepared.reader(config)
            run(prepared, reader, work=work / "all", fingerprint=key)
    if not processes.first:
        processes.wait()
        return read_manifest(out)
    oos_texts = [e.text for e in examples if e.labels.get("intent") == OUT_OF_SCOPE]
    with _draft(out) as draft:
        folder = draft / "release"
        folder.mkdir()
        save_encoder(reader, encoder, folder / ENCODER_FOLDER, prepared.max_tokens)
        save_heads(folder, reader)
        predecessor = read_manifest(parent) if parent else None
        if parent and predecessor and config.trained_layers == 0 and _has_graph_for(sets, parent, predecessor):
            runtime = keep_graph(reader, folder, parent, predecessor)
        else:
            keep = predecessor.metrics.get("runtime", {}).get("chosen") if predecessor else None
            runtime = export_graph(reader, folder, prepared.learnt, prepared.held, prepared.pad_id, keep)
        manifest = Manifest(
            name=name,
            parent=predecessor.name if predecessor else None,
            encoder=encoder.name,
            encoder_fingerprint=encoder.fingerprint,
            prefix=encoder.prefix,
            passage_prefix=encoder.passage_prefix,
            max_tokens=prepared.max_tokens,
            heads={head: list(labels) for head, labels in sets.heads.items()},
            entity_types=list(sets.entity_types),
            languages=list(config.languages),
            seed=config.seed,
            config=config.model_dump(mode="json"),
            fingerprints=_fingerprints(training_set, examples),
            libraries={package: importlib.metadata.version(package) for package in _VERSIONS},
        )
        write_manifest(folder, manifest)
        # What serves is what is calibrated, indexed and measured.
        engine = load_engine(folder, manifest)
        taught = prepared.taught
        vectors = read_with(engine, prepared.learnt[: len(taught)], prepared.pad_id).vectors
        bank = vectors[prepared.in_scope]
        if calibrated is None:
            readings = read_with(engine, prepared.held, prepared.pad_id)
            calibrated = calibrate(readings, prepared.held, sets, bank, prepared.in_scope_intents, config.risk)
        else:
            calibrated = calibrated.with_bank(bank)
        calibration = calibrated.calibration
        if sets.tags:
            edges = entity_edges(taught, encoder.tokenizer, encoder.prefix)
            transitions = tag_transitions(prepared.learnt, len(sets.tags))
            calibration = replace(calibration, transitions=transitions, edges=edges)
        save_calibration(folder, calibration)
        Neighbours([e.text for e in taught], [e.labels for e in taught], vectors.astype(np.float16)).save(folder)
        understander = load_understander(folder)
        index = FaqIndex.build(
            training_set.faq,
            understander.embed,
            passages=understander.embed_passages,
            out_of_scope=oos_texts,
            risk=config.risk,
        )
        index.save(folder)
        result = evaluate(understander, training_set.test, index, training_set.faq_queries)
        metrics: dict[str, Any] = {"test": result.to_json(), "held_out": calibrated.quality}
        metrics |= {"held_out_learnt": few, "faq_before": before, "runtime": runtime}
        metrics["notices"] = [*map(str, calibrated.missed), *example_faults(examples, prepared.held, sets)]
        doubts = {head: _doubts(taught, vectors, head) for head in sets.heads}
        write_card(folder, manifest, metrics, result, index.calibration, calibrated, examples, doubts)
        manifest = write_manifest(folder, manifest.with_metrics(metrics))
        seal(folder, out)
    shutil.rmtree(work, ignore_errors=True)
    processes.wait()
    return manifest


def save_encoder(reader: Reader, encoder: PretrainedEncoder, folder: Path, max_tokens: int) -> None:
    """Saves the encoder as a sentence-transformers model, which `SentenceTransformer(folder)` loads.

    Args:
        reader: the trained model.
        encoder: what it started from; gives tokenizer and prefix.
        folder: where to.
        max_tokens: longer texts are cut.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    with tempfile.TemporaryDirectory() as plain, quiet_transformers():
        reader.encoder.save_pretrained(plain)
        encoder.tokenizer.save_pretrained(plain)
        modules = [
            Transformer(plain, max_seq_length=max_tokens, model_kwargs={"add_pooling_layer": False}),
            Pooling(int(reader.encoder.config.hidden_size), "mean"),
            Normalize(),
        ]
        prompts = {"query": encoder.prefix} if encoder.prefix else {}
        model = SentenceTransformer(
            modules=modules, prompts=prompts, default_prompt_name="query" if prompts else None, device="cpu"
        )
        model.save(str(folder), create_model_card=False)


def _doubts(taught: Sequence[Example], vectors: Vector, head: str) -> list[Doubt]:
    """The examples of a head whose label looks wrong."""
    found = find_label_issues(vectors, [example.labels.get(head) for example in taught])
    return [Doubt(taught[issue.row].text, issue.given, issue.suggested) for issue in found]


def _calibrate(reader: Reader, prepared: Prepared, config: TrainingConfig) -> Calibrated:
    """Calibrates a model that will not serve itself, as it is in training."""
    known = read_all(reader, prepared.learnt[: len(prepared.taught)], prepared.pad_id)
    readings = read_all(reader, prepared.held, prepared.pad_id)
    bank = known.vectors[prepared.in_scope]
    return calibrate(readings, prepared.held, prepared.sets, bank, prepared.in_scope_intents, config.risk)


def _silent(_: Progress) -> None:
    """Tells nobody."""


def _set_up(config: TrainingConfig) -> None:
    torch.manual_seed(config.seed)
    if config.threads:
        torch.set_num_threads(config.threads)


def _check(training_set: TrainingSet, config: TrainingConfig, out: Path) -> None:
    """Finds before the training what would end it afterwards."""
    with _draft(out):
        check_replaceable(out)
    for teacher in config.teachers:
        read_manifest(teacher)
    entries = {entry.id for entry in training_set.faq}
    for query in training_set.faq_queries:
        if unknown := sorted(set(query.relevant) - entries):
            raise FaqError(
                f"FAQ query {query.query!r}: {', '.join(unknown)} not in the FAQ; correct the query or add the entry"
            )


def _check_held_out(prepared: Prepared, config: TrainingConfig) -> None:
    """Calibration needs held-out texts; without intents it can do without where labels have few examples."""
    enough = bool(prepared.held) or not prepared.sets.heads or prepared.usual_count <= config.learn_held_out
    if "intent" in prepared.sets.heads:
        outside = (NO_LABEL, *(i for i, name in enumerate(prepared.sets.heads["intent"]) if name == OUT_OF_SCOPE))
        enough = not np.isin(label_array(prepared.held, "intent"), outside).all()
    if not enough:
        raise InputError(
            f"Nothing is held out of {len(prepared.examples)} examples that thresholds could be chosen by. Give more "
            "examples, mark some with the split `valid`, or raise `holdout` in the settings."
        )


@contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A folder beside the release's place to make it in; it is gone afterwards, and so are those of killed runs."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        name = f"{PARTIAL}{out.name}-"
        clear_stale(out.parent, name)
        with tempfile.TemporaryDirectory(prefix=name, dir=out.parent) as folder:
            yield Path(folder)
    except (OSError, SafetensorError) as error:
        raise ReleaseError(
            f"{out}: the release cannot be written ({error}). Free disk space, check rights or choose another --out."
        ) from error


def _fingerprints(training_set: TrainingSet, examples: Sequence[Example]) -> dict[str, str]:
    base = examples if training_set.base is None else [e for e in training_set.base if e.split != "test"]
    return {"examples": fingerprint(examples), "base": fingerprint(base), "test": fingerprint(training_set.test)}


def _run_key(training_set: TrainingSet, config: TrainingConfig, encoder: PretrainedEncoder, parent: Path | None) -> str:
    """What a checkpoint must agree with to be gone on from; a manifest names the content of its release's files."""
    faq = "\n".join(f"{e.id}\t{e.question}\t{'|'.join(e.variants)}" for e in training_set.faq)
    learnt = fingerprint([*training_set.examples, *training_set.unsure])
    releases = [*config.teachers, *([parent] if parent else [])]
    known = [json.dumps(read_manifest(folder).to_json(), sort_keys=True) for folder in releases]
    parts = (learnt, faq, config.model_dump_json(), encoder.fingerprint, *known)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _has_graph_for(sets: LabelSets, release: Path, manifest: Manifest) -> bool:
    """Whether a release has a graph whose heads have just these labels."""
    labels = {head: list(known) for head, known in manifest.heads.items()}
    same = labels == {head: list(known) for head, known in sets.heads.items()}
    return same and list(manifest.entity_types) == list(sets.entity_types) and (release / GRAPH_FILE).exists()


def _faq_before(training_set: TrainingSet, reader: Reader, prepared: Prepared) -> dict[str, float]:
    """FAQ retrieval with the pretrained vectors, to compare with after training."""
    if not training_set.faq or not training_set.faq_queries:
        return {}

    def embed(texts: Sequence[str], prefix: str | None = None) -> NDArray[np.float32]:
        features = prepared.tokenise([Example(text) for text in texts], prefix)
        return read_all(reader, features, prepared.pad_id).vectors

    passages = partial(embed, prefix=prepared.encoder.passage_prefix)
    index = FaqIndex.build(training_set.faq, embed, passages=passages)
    return faq_metrics(embed, index, training_set.faq_queries)
