from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.compose import extract, is_long, sentences_of

SENTENCES = {
    "english": ("Yes. It costs 3.50 EUR. Ask us!", ["Yes.", "It costs 3.50 EUR.", "Ask us!"]),
    "chinese": ("可以。运费3.5欧。请联系客服！", ["可以。", "运费3.5欧。", "请联系客服！"]),
    "a list": ("We take:\n- cards\n- PayPal", ["We take:", "- cards", "- PayPal"]),
    "an address": ("See www.shop.example. Or call.", ["See www.shop.example.", "Or call."]),
    "a number at the end": ("It takes 5. Sometimes 6 days.", ["It takes 5. Sometimes 6 days."]),
    "marks alone": ("Yes. ... !", ["Yes."]),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("answer", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_sentences(answer, expected):
    assert sentences_of(answer) == expected


def test_an_endless_answer_has_few_sentences_and_loses_none():
    sentences = sentences_of(" ".join(f"Rule {number}: be kind." for number in range(500)))
    assert len(sentences) == 64
    assert "Rule 499: be kind." in sentences[-1]


def test_long_is_what_takes_long_to_read():
    assert not is_long("word " * 90)
    assert is_long("word " * 100)
    assert is_long("字" * 241)


ANSWER = (
    "Returns are free within 30 days.",
    "Pack the goods in their box.",
    "Print the label from your account and stick it on the parcel.",
    "The courier collects it on working days between nine and five.",
    "Refunds go to the card that you paid with, usually within five days after the parcel is back.",
    "For furniture a pick-up has to be arranged by phone, which takes about a week.",
)


def test_what_responds_comes_first_and_keeps_its_order(embed):
    def lead(question: str) -> str:
        return extract(ANSWER, embed(list(ANSWER)), question, embed([question])[0])

    assert "Print the label" in lead("where do I print the label?")
    assert "Refunds go to the card" in lead("is the refund paid to my card?")
    assert "furniture" in lead("how is furniture picked up, by phone?")
    for question in ("where do I print the label?", "is the refund paid to my card?"):
        said = lead(question)
        assert len(said) <= 270
        places = [said.index(part) for part in ANSWER if part in said]
        assert places == sorted(places)


def test_what_is_left_out_shows(embed):
    sentences = ["Yes, we do.", "The weather is nice.", "Dogs bark.", "Print the label at home.", "Cats do not."]
    question = "yes, print the label at home?"
    said = extract(sentences, embed(sentences), question, embed([question])[0])
    assert said == "Yes, we do. … Print the label at home. …"


JOINED = {
    "chinese": (["运费三欧。", "可以退货。"], "运费三欧。可以退货。"),
    "a list": (["We take:", "- cards", "- PayPal"], "We take:\n- cards\n- PayPal"),
}


@pytest.mark.parametrize(("sentences", "expected"), JOINED.values(), ids=JOINED)
def test_sentences_are_joined_as_they_stood(embed, sentences, expected):
    same = embed([sentences[0]] * len(sentences))
    assert extract(sentences, same, "", same[0]) == expected


@given(st.lists(st.text(alphabet="ab。. ", min_size=1, max_size=200).filter(str.strip), min_size=1, max_size=8))
def test_at_least_one_sentence_is_said(sentences):
    from tests.unit.retrieval.conftest import _embed

    vectors = _embed(list(sentences))
    said = extract(sentences, vectors, sentences[-1], vectors[-1])
    assert any(sentence in said for sentence in sentences)
