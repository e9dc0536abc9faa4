"""The part of a long FAQ answer that is said first."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np

from nlu.types import Understander, Understanding
from retrieval.compose import extract, is_long, sentences_of
from retrieval.types import FaqEntry, Vector

_KEPT = 512


class Excerpts:
    """Chooses what of a long answer responds to a message; remembers the vectors of sentences."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._vectors: OrderedDict[tuple[str, str], Vector] = OrderedDict()

    def of(self, entry: FaqEntry, reading: Understanding, understander: Understander) -> str:
        """The sentences that respond to a message.

        Args:
            entry: the entry that answers it.
            reading: the message as it was read.
            understander: reads the sentences, each answer's once.

        Returns:
            Some of the answer's sentences; empty where the answer is short enough to be said whole.
        """
        if not is_long(entry.answer):
            return ""
        sentences = sentences_of(entry.answer)
        if len(sentences) < 2:
            return ""
        key = (understander.release, entry.answer)
        with self._lock:
            vectors = self._vectors.get(key)
        if vectors is None:
            vectors = np.stack([each.vector for each in understander.understand(sentences)])
        with self._lock:
            self._vectors[key] = vectors
            self._vectors.move_to_end(key)
            if len(self._vectors) > _KEPT:
                self._vectors.popitem(last=False)
        return extract(sentences, vectors, reading.text, reading.vector)
