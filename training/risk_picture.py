"""The risk–coverage curve as a picture: how many answers are wrong, by how many are given at all."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from nlu.calibration import RiskCoverage

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 360, 64, 24, 24, 56
_COLOURS = ("#0b6e4f", "#b3541e", "#3d5a98", "#8a3b73")
_STEPS = 5


def draw(curves: Mapping[str, RiskCoverage]) -> str:
    """Draws the curves of some heads.

    Args:
        curves: by head, on held-out texts; one without points is left out.

    Returns:
        An SVG document.
    """
    highest = max((float(curve.risk.max()) for curve in curves.values() if len(curve.risk)), default=0.0)
    ceiling = max(0.05, np.ceil(highest * 20) / 20)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<style>text { font: 13px sans-serif }</style>",
        "<title>Share of wrong answers by share of texts answered, on held-out texts</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for step in range(_STEPS + 1):
        share = step / _STEPS
        x, y = _place(share, 0, ceiling)[0], _place(0, share * ceiling, ceiling)[1]
        parts += [
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#333333">{share * ceiling:.0%}</text>',
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle" fill="#333333">{share:.0%}</text>',
        ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle" fill="#333333">texts answered</text>')
    parts.append('<text x="12" y="16" fill="#333333">answers wrong</text>')
    for number, (head, curve) in enumerate((head, curve) for head, curve in curves.items() if len(curve.risk)):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [_place(float(x), float(y), ceiling) for x, y in zip(curve.coverage, curve.risk, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x = _LEFT + 16 + 130 * number
        parts.append(f'<text x="{x}" y="{_TOP + 16}" fill="{colour}" font-weight="bold">{escape(head)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _place(coverage: float, risk: float, ceiling: float) -> tuple[float, float]:
    x = _LEFT + coverage * (_WIDTH - _LEFT - _RIGHT)
    y = _HEIGHT - _BOTTOM - risk / ceiling * (_HEIGHT - _TOP - _BOTTOM)
    return x, y
