"""How a release is gone on from instead of training from the start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nlu.examples import Example, fingerprint
from nlu.releases import Manifest
from training.config import TrainingConfig

_INHERITED = ("encoder", "max_tokens", "layers", "seed", "holdout", "holdout_limit")


def warm_starts(config: TrainingConfig) -> tuple[TrainingConfig, ...]:
    """The settings to go on from a release with, the gentlest and quickest first.

    First only the heads are fitted anew: the vectors, and with them retrieval, stay as they are. Where that cannot
    learn the corrections, the encoder moves a little.

    Args:
        config: the settings of a training from the start.

    Returns:
        Two settings.
    """
    gentle = {"epochs": 3, "patience": 3, "learning_rate": config.learning_rate / 3}
    gentle["head_learning_rate"] = config.head_learning_rate / 2
    return config.model_copy(update={"trained_layers": 0}), config.model_copy(update=gentle)


def config_like(config: TrainingConfig, manifest: Manifest) -> TrainingConfig:
    """Takes from a release what the settings leave open: its encoder and layers, its seed and how it held texts out.

    Args:
        config: the settings of a training from the start.
        manifest: the release's.

    Returns:
        The settings to train its successor with.
    """
    inherited = {
        name: manifest.config[name]
        for name in _INHERITED
        if name in manifest.config and name not in config.model_fields_set
    }
    return config.model_copy(update=inherited)


def fits(manifest: Manifest, config: TrainingConfig, base: Sequence[Example]) -> bool:
    """Whether a release can be gone on from: the same encoder, layers, vocabulary, labels and entity types.

    Args:
        manifest: the release's.
        config: the settings to train with.
        base: the base examples.

    Returns:
        False where training has to begin anew; so too where the release has learnt its held-out texts, which then could
        calibrate no successor.
    """
    if manifest.metrics.get("held_out_learnt"):
        return False
    labels: dict[str, set[str]] = defaultdict(set)
    types: set[str] = set()
    for example in base:
        if example.split != "test":
            types.update(span.type for span in example.entities or ())
            for head, label in example.labels.items():
                labels[head].add(label)
    return (
        manifest.config.get("encoder") == config.encoder
        and manifest.config.get("layers", 0) == config.layers
        and manifest.config.get("max_tokens", manifest.max_tokens) == config.max_tokens
        and set(manifest.languages) == set(config.languages)
        and {head: set(known) for head, known in manifest.heads.items()} == labels
        and set(manifest.entity_types) == types
    )


def same_base(manifest: Manifest, base: Sequence[Example]) -> bool:
    """Whether a release was made from these very base examples, whatever a log added to them.

    Args:
        manifest: the release's.
        base: the base examples.

    Returns:
        False where some were added, changed or taken away since: the release knows nothing of that in any head.
    """
    known = manifest.fingerprints.get("base", manifest.fingerprints.get("examples"))
    return known == fingerprint(example for example in base if example.split != "test")
