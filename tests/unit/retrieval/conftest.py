from __future__ import annotations

import zlib

import numpy as np
import pytest

from retrieval.types import Embed, FaqEntry, Vector

WIDTH = 64


def _embed(texts: list[str]) -> Vector:
    vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in enumerate(texts):
        padded = f" {text.lower()} "
        for start in range(len(padded) - 1):
            for size in (2, 3, 4):
                vectors[row, zlib.crc32(padded[start : start + size].encode()) % WIDTH] += 1.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def embed() -> Embed:
    """Hashed character n-grams: the more two texts share, the closer they are."""
    return _embed


_TOPICS = {
    "refund": ("When is my refund paid?", "Refunds take five days.", ["refund when is it paid", "my refund, when?"]),
    "saturday": (
        "Do you deliver on Saturdays?",
        "Yes, from Monday to Saturday.",
        ["Saturday deliver?", "deliver saturdays"],
    ),
    "currency": (
        "Which currency do I pay in?",
        "All prices are in euros.",
        ["pay in which currency", "currency to pay"],
    ),
    "gift-card": (
        "How do I redeem a gift card?",
        "Type its code at checkout.",
        ["redeem gift card", "gift card, how to"],
    ),
    "password": (
        "I forgot my password",
        "Use the link below the login.",
        ["password forgotten", "forgot the password"],
    ),
    "warranty": (
        "How long is the warranty?",
        "Two years on everything.",
        ["warranty how long", "length of the warranty"],
    ),
    "invoice": ("Where is my invoice?", "It comes by e-mail.", ["invoice where", "where to find the invoice"]),
    "jobs": ("Are you hiring people?", "See our page on jobs.", ["hiring people?", "are you hiring"]),
    "size": ("What size should I order?", "See the table of sizes.", ["which size to order", "what size should I get"]),
    "wholesale": ("Can companies buy wholesale?", "Yes, write to us.", ["wholesale for companies", "buy wholesale"]),
}


@pytest.fixture
def shop() -> list[FaqEntry]:
    """Ten English entries with two variants each, close to their questions."""
    return [
        FaqEntry(f"{stem}.en", question, answer, "en", tuple(variants))
        for stem, (question, answer, variants) in _TOPICS.items()
    ]


@pytest.fixture
def bilingual(shop: list[FaqEntry]) -> list[FaqEntry]:
    """The shop with two entries translated and one in Chinese alone."""
    return [
        *shop,
        FaqEntry("refund.zh", "退款什么时候到账？", "五天之内。", "zh", ("退款多久能到",)),
        FaqEntry("saturday.zh", "周六送货吗？", "送。", "zh", ("星期六能送到吗",)),
        FaqEntry("tea.zh", "有没有茶叶？", "有绿茶。", "zh", ("卖茶叶吗",)),
    ]
