"""FAQ retrieval: what vectors, words and both together find, in one language, across languages and on the shop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.commands import SHOP, say
from bench.figures import Figure, Goal, Outcome
from bench.pretrained import pretrained_embeds
from bench.releases import Setup, train_shop
from nlu.runtime import load_understander
from retrieval.faq import read_faq, read_queries
from retrieval.index import FaqIndex
from retrieval.metrics import ranking_metrics
from retrieval.types import Embed, FaqQuery, Hit, Vector
from retrieval.vectors import Weights, passages_of
from retrieval.words import WordOverlap

ENCODERS = ("minilm-l6-en", "e5-small-multilingual")
_COMMAND = "python -m bench faq"
_COVERAGE = 0.9
_RANKINGS: dict[str, Weights | None] = {
    "questions alone": Weights(passage=0.0, words=0.0),
    "questions and answers": Weights(words=0.0),
    "questions, answers and words": None,
}


def measure(setup: Setup) -> Outcome:
    """Ranks stackfaq with each encoder as it was pretrained, and the shop's FAQ with trained releases.

    Args:
        setup: where the data is, and the seeds or a release of the shop.

    Returns:
        MAP of each ranking; recall, wrong answers and recall across languages of the shop.
    """
    folder = setup.data / "stackfaq"
    entries, queries = read_faq(folder / "faq.jsonl"), read_queries(folder / "queries.jsonl")
    said = [query.query for query in queries]
    relevant = [query.relevant for query in queries]
    words = ranking_metrics(WordOverlap(passages_of(entries)).overlap(said), [e.id for e in entries], relevant)
    figures = [Figure("stackfaq MAP, words alone (BM25)", (words["map"],), _COMMAND)]
    for encoder in ENCODERS:
        say(f"stackfaq with {encoder}")
        embed, passages = map(remembered, pretrained_embeds(encoder, setup.work / "encoders"))
        for name, weights in _RANKINGS.items():
            found = _metrics(FaqIndex.build(entries, embed, passages=passages, weights=weights), embed(said), queries)[
                "map"
            ]
            goal = Goal("at least", 0.985) if weights is None else None
            figures.append(Figure(f"stackfaq MAP, {encoder}, {name}", (found,), _COMMAND, goal=goal))
    return Outcome((*figures, *_shop_figures(setup)))


def remembered(embed: Embed) -> Embed:
    """The same, reading no text twice."""
    known: dict[str, Vector] = {}

    def recall(texts: list[str]) -> Vector:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, embed(new), strict=True))
        return np.stack([known[text] for text in texts])

    return recall


def wrong_at_coverage(best: Sequence[Hit], relevant: Sequence[Sequence[str]], coverage: float) -> float:
    """The share of wrong answers where the least certain queries are left unanswered.

    Args:
        best: the best hit of each query.
        relevant: for each query the ids of the entries that answer it.
        coverage: the share of queries that are answered, above 0 and at most 1.

    Returns:
        0 to 1.
    """
    order = sorted(range(len(best)), key=lambda row: -best[row].score)[: max(1, round(coverage * len(best)))]
    return sum(best[row].entry.id not in relevant[row] for row in order) / len(order)


def across(queries: Sequence[FaqQuery], source: str, target: str) -> list[FaqQuery]:
    """The queries in one language, to be answered by the entries in another.

    Args:
        queries: queries whose relevant ids end in their language.
        source: the language asked in.
        target: the language of the entries.

    Returns:
        Queries with the ids of the translations.
    """
    ending = f".{source}"
    return [
        replace(query, relevant=tuple(f"{each.removesuffix(ending)}.{target}" for each in query.relevant))
        for query in queries
        if query.lang == source
    ]


def _shop_figures(setup: Setup) -> list[Figure]:
    releases = [train_shop(setup, seed).folder for seed in (setup.seeds if setup.release is None else setup.seeds[:1])]
    queries = read_queries(SHOP / "faq_queries.jsonl")
    ask, answer = map(remembered, pretrained_embeds(ENCODERS[-1], setup.work / "encoders"))
    found: dict[str, list[float]] = {}
    for folder in releases:
        for name, value in _shop(folder, queries, (ask, answer)).items():
            found.setdefault(name, []).append(value)
    goals = {
        "shop FAQ recall@1, en": Goal("at least", 0.93),
        "shop FAQ recall@1, zh": Goal("at least", 0.93),
        "shop FAQ, wrong answers at 90 % coverage": Goal("at most", 0.02),
        "shop FAQ recall@3, Chinese questions on English entries": Goal("at least", 0.9),
    }
    return [Figure(name, tuple(values), _COMMAND, goal=goals.get(name)) for name, values in found.items()]


def _shop(folder: Path, queries: Sequence[FaqQuery], separate: tuple[Embed, Embed]) -> dict[str, float]:
    understander = load_understander(folder)
    embed, passages = remembered(understander.embed), remembered(understander.embed_passages)
    index = FaqIndex.load(folder)
    found: dict[str, float] = {}
    rankings = [
        (
            f", {name}" if weights else "",
            FaqIndex.build(index.entries, embed, passages=passages, weights=weights) if weights else index,
            embed,
        )
        for name, weights in _RANKINGS.items()
    ]
    ask, answer = separate
    alone = FaqIndex.build(index.entries, ask, passages=answer)
    rankings.append((", a separate encoder as pretrained", alone, ask))
    for name, ranked, read in rankings:
        for lang in ("en", "zh"):
            own = [query for query in queries if query.lang == lang]
            found[f"shop FAQ recall@1, {lang}{name}"] = _metrics(ranked, read([q.query for q in own]), own)["recall@1"]
    best = [
        index.search(vector, top=1, lang=query.lang, text=query.query)[0]
        for query, vector in zip(queries, embed([query.query for query in queries]), strict=True)
    ]
    wrong = wrong_at_coverage(best, [query.relevant for query in queries], _COVERAGE)
    found["shop FAQ, wrong answers at 90 % coverage"] = wrong
    english = [entry for entry in index.entries if entry.lang == "en"]
    foreign = across(queries, "zh", "en")
    crossed = _metrics(
        FaqIndex.build(english, embed, passages=passages), embed([query.query for query in foreign]), foreign
    )
    return found | {"shop FAQ recall@3, Chinese questions on English entries": crossed["recall@3"]}


def _metrics(index: FaqIndex, vectors: Vector, queries: Sequence[FaqQuery]) -> dict[str, float]:
    langs = [query.lang for query in queries]
    scores = index.search_all(vectors, langs, [query.query for query in queries])
    return ranking_metrics(scores, [entry.id for entry in index.entries], [query.relevant for query in queries])
