"""What a training run can be told, from a YAML file or from the command line."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nlu.types import InputError
from training.adapters import Method


class TrainingConfig(BaseModel):
    """Settings of a training run; a release's manifest keeps them.

    Attributes:
        encoder: a pretrained encoder by name, a local folder or a hub id.
        languages: languages the vocabulary is kept for.
        seed: seed of every random choice.
        epochs: passes over the examples at most; where nothing is said and intents have few examples, 12.
        batch_size: examples a step.
        learning_rate: peak rate of the encoder.
        head_learning_rate: peak rate of the heads.
        weight_decay: decay of weight matrices.
        warmup: share of the steps in which the rate rises.
        label_smoothing: share of probability spread over all labels (Szegedy et al. 2016, section 7).
        dropout: probability before each head.
        anchor: weight of `1 - cos(vector, pretrained encoder's vector)`, which keeps the vector fit for retrieval;
            where nothing is said and there are neither intents nor an FAQ, it is 0.
        faq_weight: weight of the contrastive loss between an FAQ question and its variants.
        entity_weight: weight of the token head's loss.
        contrastive: weight of a loss that draws texts of one label together.
        contrastive_first: passes over the examples, before all others, that only draw texts of one intent together;
            where nothing is said and intents have few examples, 5.
        rdrop: weight of how much two passes over a text may differ through dropout; takes twice the time.
        adversarial: how far states are moved against the heads, as a share of their length; takes twice the time.
        distil: share of the heads' loss that comes from teachers, where there are any.
        ema: decay of the averaged weights a step (0 keeps the last weights).
        swa: share of the steps, the last ones, whose weights count alike in the average; 0 for the decay alone.
        layer_decay: the rate of a layer as a share of that of the layer above it.
        class_balance: how far the examples of rare labels weigh more: 0 not at all, 1 until all labels weigh the same.
        doubted: weight of examples whose label looks wrong, as a share of that of others.
        trained_layers: how many of the highest layers learn; the output of those below is computed once a text. With 0
            only the heads are fitted, by logistic regression, and epochs and rates play no part.
        method: what learns in these layers: all weights (`full`), or adapters merged at the end (`lora`,
            `adalora`, `ia3`).
        layers: how many of the encoder's layers stay, evenly spread; 0 keeps all.
        teachers: release folders whose view of the examples is learnt as well.
        label_names: where labels have at most so many examples each, their names are learnt as texts too, if they lie
            near the examples; 0 for never.
        noise: share of the examples that are learnt with typing slips as well.
        synonyms: share of the examples that are learnt in other words as well.
        back_translation: share of the examples that are learnt translated there and back as well.
        translator: what translates: a LibreTranslate server's address, or a folder with models `zh-en` and `en-zh`.
        pseudo_labels: the certainty from which on a release's reading of a text that nobody labelled is learnt by its
            successor; 0 for none.
        max_tokens: longer texts are cut here.
        holdout: share of the examples kept aside for early stopping, calibration and thresholds.
        holdout_limit: the most examples that are kept aside.
        learn_held_out: where labels have at most so many examples each, held-out texts are learnt as well in a second
            training, after calibration; 0 for never.
        risk: share of wrong answers among accepted intents and FAQ hits that is borne; thresholds follow from it.
        patience: epochs that read the held-out texts clearly worse before training ends.
        threads: CPU threads; 0 takes all cores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str = "e5-small-multilingual"
    languages: tuple[str, ...] = ("zh", "en")
    seed: int = Field(13, ge=0, le=2**32 - 1)
    epochs: int = Field(5, ge=1, le=1000)
    batch_size: int = Field(32, ge=2, le=4096)
    learning_rate: float = Field(2e-4, gt=0, lt=1)
    head_learning_rate: float = Field(1e-3, gt=0, lt=1)
    weight_decay: float = Field(0.01, ge=0, lt=1)
    warmup: float = Field(0.1, ge=0, lt=1)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    anchor: float = Field(3.0, ge=0)
    faq_weight: float = Field(0.3, ge=0)
    entity_weight: float = Field(0.5, ge=0)
    contrastive: float = Field(0.0, ge=0)
    contrastive_first: int = Field(0, ge=0, le=1000)
    rdrop: float = Field(0.0, ge=0)
    adversarial: float = Field(0.0, ge=0, lt=1)
    distil: float = Field(0.7, ge=0, le=1)
    ema: float = Field(0.99, ge=0, lt=1)
    swa: float = Field(0.0, ge=0, lt=1)
    layer_decay: float = Field(1.0, gt=0, le=1)
    class_balance: float = Field(0.0, ge=0, le=1)
    doubted: float = Field(1.0, ge=0, le=1)
    trained_layers: int = Field(9, ge=0, le=48)
    method: Method = "full"
    layers: int = Field(0, ge=0, le=48)
    teachers: tuple[Path, ...] = ()
    label_names: int = Field(20, ge=0)
    noise: float = Field(0.0, ge=0, le=1)
    synonyms: float = Field(0.0, ge=0, le=1)
    back_translation: float = Field(0.0, ge=0, le=1)
    translator: str = ""
    pseudo_labels: float = Field(0.0, ge=0, le=1)
    max_tokens: int = Field(128, ge=8, le=512)
    holdout: float = Field(0.1, gt=0, lt=0.5)
    holdout_limit: int = Field(600, ge=20)
    learn_held_out: int = Field(20, ge=0)
    risk: float = Field(0.05, gt=0, lt=0.5)
    patience: int = Field(2, ge=1)
    threads: int = Field(0, ge=0)


def read_config(path: Path | None, **overrides: object) -> TrainingConfig:
    """Reads a configuration and lays command-line values over it.

    Args:
        path: a YAML file with any of `TrainingConfig`'s fields, or None.
        overrides: values that win over the file's; None is left out.

    Returns:
        The configuration.

    Raises:
        InputError: the file is missing or a field is unknown or out of range; names the file and the field.
    """
    values: dict[str, object] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise InputError(
                f"{path}: cannot be read as YAML: {error}. Give a UTF-8 file with fields and values."
            ) from error
        loaded = {} if loaded is None else loaded
        if not isinstance(loaded, dict):
            raise InputError(f"{path}: expected fields and values, such as `epochs: 6`, got {type(loaded).__name__}.")
        values = loaded
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        place = path or "training configuration"
        raise InputError(
            f"{place}: field {field!r}: {first['msg']}. Known fields: {', '.join(TrainingConfig.model_fields)}."
        ) from error
