"""What translates: an HTTP endpoint, or models in a local folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx

from nlu.pretrained import quiet_transformers
from nlu.types import InputError

_BATCH = 32
_SECONDS = 120.0
_MOST_TOKENS = 128
_REMEDY = "Set `translator` to the address of a LibreTranslate server or a folder with models, or leave it out."


class Translator(Protocol):
    """Translates between Chinese and English."""

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translates texts.

        Args:
            texts: what to translate.
            source: their language, `zh` or `en`.
            target: the language wanted.

        Returns:
            The translations in order.
        """
        ...


class HttpTranslator:
    """A server that speaks LibreTranslate's interface: `POST <address>/translate`.

    Args:
        address: such as `http://localhost:5000`.
    """

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/") + "/translate"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Asks the server, some texts at a time; an `InputError` names what went wrong."""
        done: list[str] = []
        with httpx.Client(timeout=_SECONDS) as client:
            for start in range(0, len(texts), _BATCH):
                some = list(texts[start : start + _BATCH])
                body = {"q": some, "source": source, "target": target, "format": "text"}
                try:
                    answer = client.post(self._address, json=body).raise_for_status().json()
                except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                    raise InputError(f"{self._address}: cannot translate: {error}. {_REMEDY}") from error
                done += _translations(answer, len(some), self._address)
        return done


class LocalTranslator:
    """Sequence-to-sequence models as transformers saves them, in the folders `zh-en` and `en-zh`.

    Args:
        folder: the folder that has both.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, tuple[Any, Any]] = {}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Runs the model of this direction, some texts at a time; an `InputError` names one that cannot be loaded."""
        import torch

        tokenizer, model = self._load(f"{source}-{target}")
        done: list[str] = []
        for start in range(0, len(texts), _BATCH):
            tokens = tokenizer(list(texts[start : start + _BATCH]), return_tensors="pt", padding=True, truncation=True)
            with torch.inference_mode():
                made = model.generate(
                    input_ids=tokens["input_ids"],
                    attention_mask=tokens["attention_mask"],
                    max_new_tokens=_MOST_TOKENS,
                )
            done += tokenizer.batch_decode(made, skip_special_tokens=True)
        return done

    def _load(self, direction: str) -> tuple[Any, Any]:
        if direction not in self._loaded:
            from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

            folder = self._folder / direction
            try:
                with quiet_transformers():
                    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                    model = AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True).eval()
            except (OSError, ValueError, ImportError) as error:
                raise InputError(f"{folder}: holds no model that translates: {error}. {_REMEDY}") from error
            self._loaded[direction] = (tokenizer, model)
        return self._loaded[direction]


def open_translator(where: str) -> Translator:
    """The translator that a setting names.

    Args:
        where: an address that begins with `http://` or `https://`, or a folder.

    Returns:
        The translator.

    Raises:
        InputError: there is none.
    """
    if where.startswith(("http://", "https://")):
        return HttpTranslator(where)
    if not where or not Path(where).is_dir():
        raise InputError(f"translator: {where or '(none)'} is no folder. {_REMEDY}")
    return LocalTranslator(Path(where))


def _translations(answer: object, count: int, address: str) -> list[str]:
    texts = answer.get("translatedText") if isinstance(answer, dict) else None
    if not isinstance(texts, list) or len(texts) != count or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{address}: expected {count} texts in `translatedText`, got {str(answer)[:200]!r}. {_REMEDY}")
    return texts
