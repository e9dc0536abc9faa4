from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from nlu.calibration import risk_coverage
from training.risk_picture import draw


def test_each_head_with_answers_gets_a_line_within_the_picture() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(size=300)
    curves = {
        "intent": risk_coverage(sure, random.uniform(size=300) < sure),
        "<b>": risk_coverage(sure, np.ones(300)),
        "empty": risk_coverage([], []),
    }
    picture = ET.fromstring(draw(curves))
    lines = [node for node in picture.iter() if node.tag.endswith("polyline")]
    assert len(lines) == 2
    points = [tuple(map(float, point.split(","))) for line in lines for point in line.attrib["points"].split()]
    assert all(64 <= x <= 616 and 24 <= y <= 304 for x, y in points)
    words = [node.text for node in picture.iter() if node.tag.endswith("text")]
    assert {"intent", "<b>"} <= set(words)
    assert "empty" not in words


def test_what_can_be_answered_at_a_risk() -> None:
    curve = risk_coverage([0.9, 0.8, 0.7, 0.6], [True, True, False, True])
    assert [curve.coverage_at(risk) for risk in (0.0, 0.25, 0.3, 0.4)] == [0.5, 1.0, 1.0, 1.0]
    assert curve.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    assert risk_coverage([0.9], [False]).coverage_at(0.1) == 0
    assert risk_coverage([], []).area == 0
