"""What a retraining did and why; kept on the disk without customers' words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nlu.durable import write_atomically
from nlu.types import ReleaseError
from training.logged import Gathered
from training.plausibility import Suspicion
from training.promote import Outcomes

_FOLDER = "retrain"


class Status(StrEnum):
    """How a retraining ended."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    NOTHING_NEW = "nothing_new"
    PREVIEW = "preview"


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """What a retraining did, and why.

    Attributes:
        status: how it ended.
        gathered: what the log taught.
        material: fingerprint of everything that was started from.
        current: the release in force when it began.
        candidate: the release that was trained, None where none was.
        reasons: why it was promoted or refused, a sentence each.
        suspicious: corrections that are hard to believe.
        before: what the release in force got right, None where nothing was measured.
        after: what the candidate got right.
        unguarded: labels that are protected in vain, a sentence each.
    """

    status: Status
    gathered: Gathered
    material: str
    current: str | None = None
    candidate: str | None = None
    reasons: tuple[str, ...] = ()
    suspicious: tuple[Suspicion, ...] = ()
    before: Outcomes | None = None
    after: Outcomes | None = None
    unguarded: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The whole report as plain JSON values, customers' masked words included."""
        gathered = self.gathered
        return self.summary() | {
            "reasons": list(self.reasons),
            "examples": [
                {"text": e.text, **e.labels, "lang": e.lang, "weight": e.weight, "source": e.source}
                for e in gathered.examples
            ],
            "faq_variants": [
                {"faq": c.label, "text": c.text, "lang": c.lang, "source": c.source.value} for c in gathered.variants
            ],
            "contradictions": [clash.to_json() for clash in gathered.contradictions],
            "unguarded": list(self.unguarded),
            "suspicious": [suspicion.to_json() for suspicion in self.suspicious],
        }

    def summary(self) -> dict[str, Any]:
        """The report without customers' words, which must not outlive the log: turns are named by their ids."""
        return {
            "status": self.status.value,
            "current": self.current,
            "candidate": self.candidate,
            "material": self.material,
            "taken": self.gathered.taken,
            "dropped": dict(self.gathered.dropped),
            "corrected_turns": [claim.turn for claim in self.gathered.corrections],
            "contradicting_turns": [clash.claim.turn for clash in self.gathered.contradictions],
            "suspicious_turns": [suspicion.claim.turn for suspicion in self.suspicious],
            "scores": {
                name: outcomes.to_json()
                for name, outcomes in (("current", self.before), ("candidate", self.after))
                if outcomes
            },
        }


def last_report(data_dir: Path, current: str, material: str, status: Status) -> Path | None:
    """A report that says what became of this very material.

    Args:
        data_dir: the data folder.
        current: the release that was made from it (promoted), or in force when it was refused.
        material: the fingerprint of the material.
        status: what became of it.

    Returns:
        The report's file, or None where there is none.
    """
    role = "candidate" if status is Status.PROMOTED else "current"
    for path in sorted((data_dir / _FOLDER).glob("*.json"), reverse=True):
        try:
            document = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        expected = {"status": status.value, role: current, "material": material}
        if isinstance(document, dict) and all(document.get(key) == value for key, value in expected.items()):
            return path
    return None


def write_report(told: RetrainReport, data_dir: Path) -> None:
    """Keeps a report, named by its candidate or by the material that was refused without one.

    Args:
        told: the report.
        data_dir: the data folder.

    Raises:
        ReleaseError: the disk refuses.
    """
    folder = data_dir / _FOLDER
    content = json.dumps(told.summary() | {"reasons": unquoted_reasons(told)}, ensure_ascii=False, indent=2) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{told.candidate or told.material[:16]}.json", [content.encode()])
    except OSError as error:
        raise ReleaseError(
            f"{folder}: cannot be written ({error.strerror}); `current` is unchanged. Free disk space or check rights."
        ) from error


def unquoted_reasons(told: RetrainReport) -> list[str]:
    """The reasons, but for the one that quotes customers."""
    return list(told.reasons) if told.candidate else ["Too many corrections contradict what is known."]
