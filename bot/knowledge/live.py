"""The knowledge base that answers: the release's FAQ with what was edited since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from bot.dialogue.engine import Engine
from bot.domain.records import FaqDraft, FaqVersion
from nlu.runtime import ReleaseUnderstander
from retrieval.calibration import HitCalibration
from retrieval.index import FaqIndex
from retrieval.types import Embed, FaqEntry, Vector

_BATCH = 64
_SPARE = 2000
"""So many texts that are in no entry now are remembered: those of entries that answer by a schedule, and of drafts."""
_MOST_CALIBRATED = 300
_UNRELATED = (
    *("Tell me a joke.", "What is the capital of Peru?", "Will it rain tomorrow?", "I had pasta for dinner."),
    *(
        "How tall is the Eiffel Tower?",
        "Write a poem about the sea.",
        "Who won the match last night?",
        "Are you a robot?",
    ),
    *("讲个笑话吧", "秘鲁的首都是哪里？", "明天会下雨吗？", "我晚饭吃了面条"),
    *("埃菲尔铁塔有多高？", "写一首关于大海的诗", "昨晚的比赛谁赢了？", "你是机器人吗？"),
)
"""What hardly any knowledge base answers: how near such texts come says from where on nearness means anything."""


def answering(
    release: Iterable[FaqEntry], edited: Iterable[FaqVersion], now: datetime, seen: Mapping[str, Collection[str]]
) -> list[FaqEntry]:
    """The entries that answer at a moment.

    An edited entry stands for the release's. As long as it asks the same question it has the variants that the
    release has learnt for it, but for those that an editor saw and took out.

    Args:
        release: the entries of the release.
        edited: the latest version of each entry that was ever edited.
        now: the moment.
        seen: every variant that any version of an edited entry has had, by its id.

    Returns:
        The entries, those of the release first.
    """
    latest = {version.entry.id: version for version in edited}
    entries = []
    for entry in release:
        version = latest.pop(entry.id, None)
        if version is None:
            entries.append(entry)
        elif version.answers_at(now):
            entries.append(_with_learnt_variants(version.entry, entry, seen.get(entry.id, ())))
    return entries + [version.entry for version in latest.values() if version.answers_at(now)]


def foreseen(
    draft: FaqDraft,
    release: Sequence[FaqEntry],
    edited: Iterable[FaqVersion],
    now: datetime,
    seen: Mapping[str, Collection[str]],
) -> list[FaqEntry]:
    """The entries that would answer at a moment if a draft were stored; see `answering`.

    Args:
        draft: what an entry is to be.
        release: the entries of the release.
        edited: the latest version of each entry that was ever edited.
        now: the moment.
        seen: every variant that any version of an edited entry has had, by its id.

    Returns:
        The entries, those of the release first.
    """
    name = draft.entry.id
    fresh = FaqVersion(draft.entry, 0, draft.enabled, draft.valid_from, draft.valid_until, "", now)
    # The first edit stores what the release has as a version that the editor saw.
    released = {entry.id: entry.variants for entry in release if entry.id == name}
    others = [version for version in edited if version.entry.id != name]
    return answering(release, [*others, fresh], now, released | dict(seen))


def next_change(edited: Iterable[FaqVersion], now: datetime) -> datetime | None:
    """When the next entry begins or ceases to answer by its schedule; None where none will."""
    moments = [moment for version in edited if version.enabled for moment in (version.valid_from, version.valid_until)]
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def with_entries(
    engine: Engine, entries: Sequence[FaqEntry], vectors: RememberedVectors, *, before: Engine | None = None
) -> Engine:
    """The same engine answering from other entries.

    It keeps the calibration of its release; one that was trained without entries has none, so that it is learnt here.

    Args:
        engine: as its release was loaded.
        entries: what answers.
        vectors: by the release's encoder.
        before: an engine that answers from many of the same entries, which saves work.

    Returns:
        The engine with a new index.
    """
    if not isinstance(engine.search, FaqIndex) or tuple(entries) == engine.search.entries:
        return engine
    calibration = engine.search.calibration if engine.search.entries else _calibrated(entries, vectors, engine.risk)
    known = before.search if before and isinstance(before.search, FaqIndex) else engine.search
    index = FaqIndex.build(entries, vectors.wordings, passages=vectors.passages, calibration=calibration, before=known)
    return replace(engine, search=index, entries={entry.id: entry for entry in entries})


class RememberedVectors:
    """Vectors by a release's encoder, no text read twice while it is in use.

    Args:
        engine: as its release was loaded; what its index holds is known from the start.

    Attributes:
        wordings: gives those of questions and variants.
        passages: gives those of passages.
    """

    def __init__(self, engine: Engine) -> None:
        understander, search = engine.understander, engine.search
        known = search if isinstance(search, FaqIndex) else None

        def read(texts: list[str]) -> Vector:
            if isinstance(understander, ReleaseUnderstander):
                return understander.embed(texts)
            return np.stack([reading.vector for reading in understander.understand(texts)])

        whole = understander.embed_passages if isinstance(understander, ReleaseUnderstander) else read
        self.wordings = _Memory(read, known.known_wordings if known else dict)
        self.passages = _Memory(whole, known.known_passages if known else dict)


class _Memory:
    """Embeds, no text twice while it is in use; what is released is known once it is asked for."""

    def __init__(self, embed: Embed, released: Callable[[], dict[str, Vector]]) -> None:
        self._embed = embed
        self._find_released = released
        self._released: dict[str, Vector] | None = None
        self._known: dict[str, Vector] = {}

    def __call__(self, texts: list[str]) -> Vector:
        """Unit-length vectors, shape `(texts, width)`."""
        if self._released is None:
            self._released = self._find_released()
            self._known = dict(self._released)
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            self._known.update(zip(batch, self._embed(batch), strict=True))
        if len(self._known) > len(self._released) + len(texts) + _SPARE:
            self._known = self._released | {text: self._known[text] for text in texts}
        return np.stack([self._known[text] for text in texts])


def _calibrated(entries: Sequence[FaqEntry], vectors: RememberedVectors, risk: float) -> HitCalibration:
    """A calibration learnt from the entries, from some of them where there are many, as each edit waits for it."""
    some = entries[:: 1 + len(entries) // _MOST_CALIBRATED]
    passages, strange = vectors.passages, _UNRELATED
    return FaqIndex.build(some, vectors.wordings, passages=passages, out_of_scope=strange, risk=risk).calibration


def _with_learnt_variants(edited: FaqEntry, released: FaqEntry, seen: Collection[str]) -> FaqEntry:
    if edited.question != released.question:
        return edited
    learnt = [variant for variant in released.variants if variant not in seen]
    return replace(edited, variants=tuple(dict.fromkeys([*edited.variants, *learnt])))
