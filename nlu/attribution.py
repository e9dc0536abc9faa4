"""Integrated gradients: how much each token's embedding moved the decision, from nothing to the text as it is.

Sundararajan et al. 2017, "Axiomatic attribution for deep networks", through captum. It needs torch, so it is for the
command; servers explain by erasure (`nlu.explain`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from nlu.explain import INTEGRATED_GRADIENTS, Explanation, pieces
from nlu.runtime import ReleaseUnderstander
from nlu.torch_engine import load_reader
from nlu.types import InputError

_STEPS = 32


def attribute(folder: Path, understander: ReleaseUnderstander, explanation: Explanation) -> Explanation:
    """Replaces an explanation's weights by integrated gradients of the label's logit.

    Args:
        folder: the release.
        understander: the same release, loaded.
        explanation: what `nlu.explain.explain` gave.

    Returns:
        The explanation with other weights, which add up to what the text does for the logit.

    Raises:
        InputError: captum is not installed.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise InputError(
            "Integrated gradients need the package captum. Install it with `pip install 'frontdesk[explain]'`, or "
            "explain by erasure."
        ) from error
    reader, _ = load_reader(folder, understander.manifest)
    encoded = understander.encode(explanation.text)
    ids = torch.tensor([encoded.ids])
    column = list(understander.manifest.heads[explanation.head]).index(explanation.label)

    def logit(states: Tensor) -> Tensor:
        mask = torch.ones(states.shape[:2], dtype=torch.bool)
        found: Tensor = reader.read(reader.run_layers(states, mask), mask).logits[explanation.head][:, column]
        return found

    with torch.no_grad():
        states = reader.embed(ids)
        nothing = reader.embed(torch.full_like(ids, int(reader.encoder.config.pad_token_id or 0)))
    weights = IntegratedGradients(logit).attribute(states, nothing, n_steps=_STEPS).sum(-1)[0].tolist()
    return replace(
        explanation,
        method=INTEGRATED_GRADIENTS,
        tokens=pieces(understander, explanation.text, encoded.offsets, weights),
    )
