from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.calibration import HitCalibration, calibrate
from retrieval.ranking import Queries, Ranking
from retrieval.types import FaqEntry, FaqError, HitThresholds
from retrieval.vectors import Weights, embed_entries

KNOWN = HitCalibration(-4.0, 8.0, 5.0, HitThresholds(0.8, 0.3), Weights(0.5, 0.1), queries=20, answered=0.5, wrong=0.04)
OUT_OF_SCOPE = ["zzz xylophone", "quantum fjord", "ox", "mmm ... mmm", "12345 67890"]


def ranking(entries, embed):
    return Ranking(embed_entries(entries, embed))


def asked(texts, embed):
    return Queries(texts, embed(texts)) if texts else None


def test_it_learns_from_the_variants(shop, embed):
    ranked = ranking(shop, embed)
    learnt = calibrate(ranked, asked(OUT_OF_SCOPE, embed))
    assert learnt.queries == 20
    assert learnt.closeness > 0.0
    assert learnt.lead >= 0.0
    assert learnt.wrong <= 0.05
    assert learnt.answered >= 0.5
    assert 0.0 < learnt.thresholds.suggest <= learnt.thresholds.accept < 1.0


def test_known_questions_score_higher_than_out_of_scope(shop, embed):
    ranked = ranking(shop, embed)
    learnt = calibrate(ranked, asked(OUT_OF_SCOPE, embed))

    def scores(texts: list[str]) -> list[float]:
        closeness = np.sort(ranked.closeness(Queries(texts, embed(texts))), axis=1)[:, ::-1]
        return [learnt.probability(row[0], row[0] - row[1]) for row in closeness]

    known = scores([entry.question for entry in shop])
    assert min(known) > max(scores(OUT_OF_SCOPE))
    assert min(known) >= learnt.thresholds.accept


def test_it_is_deterministic(shop, embed):
    ranked = ranking(shop, embed)
    assert calibrate(ranked, asked(OUT_OF_SCOPE, embed)) == calibrate(ranked, asked(OUT_OF_SCOPE, embed))


def test_less_risk_accepts_less(shop, embed):
    ranked = ranking(shop, embed)
    careful, bold = calibrate(ranked, risk=0.01), calibrate(ranked, risk=0.4)
    assert careful.thresholds.accept > bold.thresholds.accept
    assert careful.answered <= bold.answered
    assert careful.wrong <= 0.01
    assert bold.wrong <= 0.4


def test_a_translation_is_no_rival(shop, embed):
    """Every entry again under another language: with rivals of the same words no hit would have a lead."""
    twins = [replace(entry, id=entry.id.replace(".en", ".zh"), lang="zh") for entry in shop]
    strangers = [replace(entry, id=f"other-{entry.id}") for entry in shop]
    with_twins = calibrate(ranking([*shop, *twins], embed))
    with_strangers = calibrate(ranking([*shop, *strangers], embed))
    assert with_twins.queries == 40
    assert with_twins.answered >= 0.5
    assert with_strangers.answered < with_twins.answered


def test_where_variants_say_nothing_hardly_anything_is_accepted(shop, embed):
    shuffled = [replace(entry, variants=shop[(i + 3) % len(shop)].variants) for i, entry in enumerate(shop)]
    learnt = calibrate(ranking(shuffled, embed), asked(OUT_OF_SCOPE, embed))
    assert learnt.answered <= 0.1
    assert 0.5 <= learnt.thresholds.accept <= 0.95


TOO_LITTLE = {
    "nothing": lambda shop: [],
    "one entry": lambda shop: shop[:1],
    "seven entries": lambda shop: shop[:7],
    "no variants": lambda shop: [replace(entry, variants=()) for entry in shop],
}


@pytest.mark.parametrize("choose", TOO_LITTLE.values(), ids=TOO_LITTLE)
@pytest.mark.parametrize("out_of_scope", [[], OUT_OF_SCOPE], ids=["alone", "with out-of-scope"])
def test_too_little_to_learn_from_gives_the_default(shop, embed, choose, out_of_scope):
    ranked = ranking(choose(shop), embed)
    learnt = calibrate(ranked, asked(out_of_scope, embed))
    assert learnt.queries == 0
    assert learnt.thresholds == HitThresholds()
    assert learnt.probability(1.0, 0.0) > 0.95
    assert learnt.probability(0.0, 0.0) < 0.1


def test_the_default_starts_from_what_unrelated_texts_have(embed):
    ranked = ranking([FaqEntry("a", "refund", "x")], embed)
    near, far = asked(["refunds"], embed), asked(["xyz"], embed)
    assert calibrate(ranked, near).probability(0.8, 0.0) < calibrate(ranked, far).probability(0.8, 0.0)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_a_score_never_falls_as_closeness_grows(one, other, rival):
    low, high = sorted((one, other))
    assert 0.0 <= KNOWN.probability(low, low - rival) <= KNOWN.probability(high, high - rival) <= 1.0


def test_extreme_weights_stay_probabilities():
    steep = replace(KNOWN, closeness=1e6)
    assert steep.probability(-1.0, 0.0) == 0.0
    assert steep.probability(1.0, 0.0) == 1.0


def test_json_round_trip():
    assert HitCalibration.from_json(json.loads(json.dumps(KNOWN.to_json()))) == KNOWN


WRONG = {
    "missing": ({"bias": None}, "bias: expected a number"),
    "text": ({"lead": "5"}, "lead: expected a number from 0 to inf, got '5'"),
    "true": ({"bias": True}, "bias: expected a number"),
    "falling": ({"closeness": -1.0}, "closeness: expected a number from 0"),
    "endless": ({"bias": float("inf")}, "bias: expected a number"),
    "no thresholds": ({"thresholds": 0.5}, "accept: expected a number"),
    "a threshold above 1": (
        {"thresholds": {"accept": 1.5, "suggest": 0.1}},
        "accept: expected a number from 0 to 1, got 1.5",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_a_damaged_document_is_named(change, message):
    with pytest.raises(FaqError, match=f"calibration: {message}"):
        HitCalibration.from_json({**KNOWN.to_json(), **change})


@pytest.mark.parametrize("risk", [0.0, 1.0, -0.1, float("nan")])
def test_risk_is_a_share(shop, embed, risk):
    with pytest.raises(FaqError, match="risk: expected a share between 0 and 1"):
        calibrate(ranking(shop, embed), risk=risk)
