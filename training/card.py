"""The release's card: what it can do, where it is weak, how FAQ retrieval was before and after training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlu.examples import Example, contradictions
from nlu.releases import Manifest
from retrieval.calibration import HitCalibration
from training.calibrate import SHOWN_RISKS, Calibrated
from training.evaluate import Evaluation
from training.risk_picture import draw

RISK_PICTURE = "risk.svg"
_SHOWN = 12
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Doubt:
    """An example whose label looks wrong.

    Attributes:
        text: the example's.
        given: its label.
        suggested: what it is like.
    """

    text: str
    given: str
    suggested: str


def write_card(
    folder: Path,
    manifest: Manifest,
    metrics: dict[str, Any],
    result: Evaluation,
    hits: HitCalibration,
    calibrated: Calibrated,
    examples: Sequence[Example],
    doubts: Mapping[str, Sequence[Doubt]],
) -> None:
    """Writes `card.md` and the picture that it shows, `risk.svg`.

    Args:
        folder: the release under construction.
        manifest: its manifest.
        metrics: `held_out` figures, `faq_before` and `notices`.
        result: measured on the frozen test set.
        hits: calibration of the FAQ's scores.
        calibrated: calibration of the heads, and what it does to held-out texts.
        examples: what it was trained on.
        doubts: for each head the examples whose label looks wrong.
    """
    thresholds = calibrated.calibration.thresholds
    lines = [
        f"# Release {manifest.name}",
        "",
        f"- Encoder: `{manifest.encoder}`; languages: {', '.join(manifest.languages)}; seed {manifest.seed}",
        f"- Trained from: {manifest.parent or 'the pretrained encoder'}",
        f"- Examples: {len(examples)}; contradictory texts: {len(contradictions(examples))}",
        "",
        "## Heads",
        "",
        "| head | labels | test accuracy | test macro F1 | test ECE | held-out accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for head, labels in manifest.heads.items():
        test = result.heads.get(head, {})
        held = metrics["held_out"].get(head, {})
        cells = [_figure(test, "accuracy"), _figure(test, "macro_f1"), _figure(test, "ece"), _figure(held, "accuracy")]
        lines.append(f"| {head} | {len(labels)} | {' | '.join(cells)} |")
    if metrics.get("held_out_learnt"):
        lines += [
            "",
            "Held-out figures are those of a model that had not learnt these texts; this one has, afterwards.",
        ]
    lines += _risk_lines(folder, calibrated)
    detectors = metrics["held_out"].get("oos", {}).get("detectors", {})
    if detectors:
        lines += ["", "## Out-of-scope detectors (held out)", "", "| detector | AUROC |", "|---|---|"]
        lines += [f"| {kind} | {value:.3f} |" for kind, value in detectors.items()]
        lines.append(f"| all, weighed | {metrics['held_out']['oos']['auroc']:.3f} |")
    if result.oos:
        lines += ["", "## Out of scope (test)", "", *(f"- {name}: {value:.3f}" for name, value in result.oos.items())]
    if result.entities:
        lines += ["", "## Entities (test)", "", *(f"- {name}: {value:.3f}" for name, value in result.entities.items())]
    lines += ["", "## FAQ retrieval (test queries)", ""]
    if result.faq:
        lines += ["| figure | pretrained encoder | this release |", "|---|---|---|"]
        before = metrics["faq_before"]
        lines += [f"| {name} | {_figure(before, name)} | {value:.3f} |" for name, value in result.faq.items()]
    else:
        lines.append("No test queries were given.")
    lines += [
        "",
        f"A hit answers from a score of {hits.thresholds.accept:.2f}, is offered from {hits.thresholds.suggest:.2f}.",
        "",
        "## Thresholds",
        "",
        *(f"- {name}: {getattr(thresholds, name):.3f}" for name in thresholds.__slots__),
        "",
        "## Known weaknesses",
        "",
        *(f"- {notice}" for notice in metrics["notices"]),
    ]
    for head, pairs in result.confusions.items():
        lines += [f"- {head}: {truth} read as {guess} ({count} times)" for truth, guess, count in pairs[:_SHOWN]]
    for head in manifest.heads:
        counts = Counter(example.labels[head] for example in examples if head in example.labels)
        few = [f"{label} ({count})" for label, count in sorted(counts.items()) if count < 10]
        if few:
            lines.append(f"- {head}: fewer than ten examples of {', '.join(few[:_SHOWN])}")
    if any(doubts.values()):
        lines += [
            "",
            "## Suspicious labels",
            "",
            "Look at these examples; each is labelled otherwise than what it is like.",
            "",
        ]
        lines += ["| head | text | label | suggested |", "|---|---|---|---|"]
        for head, found in doubts.items():
            lines += [f"| {head} | {_cell(doubt.text)} | {doubt.given} | {doubt.suggested} |" for doubt in found]
    (folder / "card.md").write_text("\n".join(lines) + "\n", "utf-8")


def _risk_lines(folder: Path, calibrated: Calibrated) -> list[str]:
    """How much can be answered at which risk, on held-out texts; draws the curve."""
    if not calibrated.curves:
        return []
    (folder / RISK_PICTURE).write_text(draw(calibrated.curves), "utf-8")
    lines = ["", "## Risk and coverage (held out)", "", f"![Wrong answers by texts answered]({RISK_PICTURE})", ""]
    lines.append(f"| head | {' | '.join(f'answered with {risk:.0%} wrong' for risk in SHOWN_RISKS)} | mean risk |")
    lines.append(f"|---|{'---|' * (len(SHOWN_RISKS) + 1)}")
    for head, curve in calibrated.curves.items():
        shares = [f"{curve.coverage_at(risk):.0%}" for risk in SHOWN_RISKS]
        lines.append(f"| {head} | {' | '.join(shares)} | {curve.area:.3f} |")
    return lines


def _cell(text: str) -> str:
    """A text as a table's cell."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return " ".join(short.replace("|", "\\|").split())


def _figure(figures: dict[str, float], name: str) -> str:
    return f"{figures[name]:.3f}" if name in figures else "–"
