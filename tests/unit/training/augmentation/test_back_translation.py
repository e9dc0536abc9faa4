from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from nlu.examples import Example, Span
from nlu.types import InputError, Vector
from training.augmentation import augment
from training.augmentation.back_translation import back_translations
from training.augmentation.translators import HttpTranslator, LocalTranslator, open_translator
from training.config import TrainingConfig

WORDS = {
    ("where is it", "zh"): "它在哪里",
    ("它在哪里", "en"): "where is that",
    ("我要退款", "en"): "I want a refund",
    ("I want a refund", "zh"): "我想退款",
}


def alike(texts: Sequence[str]) -> Vector:
    return np.tile(np.array([1.0, 0.0], np.float32), (len(texts), 1))


def opposite(texts: Sequence[str]) -> Vector:
    return np.array([[1.0, 0.0] if text in {"where is it", "我要退款"} else [0.0, 1.0] for text in texts], np.float32)


class Server(BaseHTTPRequestHandler):
    """Speaks LibreTranslate's interface with a few phrases."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/translate" or asked["format"] != "text" or asked["source"] == asked["target"]:
            self.send_error(400)
            return
        body = {"translatedText": [WORDS.get((text, asked["target"]), text) for text in asked["q"]]}
        self._answer(body if "break" not in asked["q"] else {"translatedText": ["one", "too", "many"]})

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_both_languages_go_there_and_back_over_http(address: str) -> None:
    examples = [
        Example("where is it", {"intent": "status"}, (Span(0, 5, "word"),)),
        Example("我要退款", {"intent": "refund"}),
        Example("unknown phrase", {"intent": "other"}),
    ]
    config = TrainingConfig(back_translation=1.0, translator=address)
    copies = augment(examples, config, alike)
    assert [(copy.text, copy.labels, copy.entities, copy.weight) for copy in copies] == [
        ("我想退款", {"intent": "refund"}, None, 0.5),
        ("where is that", {"intent": "status"}, None, 0.5),
    ]
    assert back_translations(examples, 1.0, 13, HttpTranslator(address), opposite) == []


def test_nothing_is_translated_by_default() -> None:
    assert augment([Example("where is it", {"intent": "status"})], TrainingConfig(), alike) == []


def test_an_unreachable_or_odd_server_is_named(address: str) -> None:
    with pytest.raises(InputError, match="expected 1 texts in `translatedText`"):
        HttpTranslator(address).translate(["break"], "en", "zh")
    with pytest.raises(InputError, match="400"):
        HttpTranslator(address).translate(["same"], "en", "en")
    with pytest.raises(InputError, match=r"cannot translate.*LibreTranslate"):
        HttpTranslator("http://127.0.0.1:1").translate(["text"], "en", "zh")


@pytest.mark.parametrize("where", ["", "no/such/folder"])
def test_a_missing_translator_is_named(where: str) -> None:
    with pytest.raises(InputError, match="translator"):
        open_translator(where)


def test_a_folder_with_models_translates(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "en-zh")
    translator = open_translator(str(tmp_path))
    assert isinstance(translator, LocalTranslator)
    made = translator.translate(["where is it", "it"] * 20, "en", "zh")
    assert len(made) == 40
    assert made[:2] * 20 == made
    with pytest.raises(InputError, match="zh-en: holds no model that translates"):
        translator.translate(["它在哪里"], "zh", "en")


def save_tiny_model(folder: Path) -> None:
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

    words = {word: place for place, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", "where", "is", "it"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(words), d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1,
        decoder_attention_heads=1, encoder_ffn_dim=8, decoder_ffn_dim=8, max_position_embeddings=32, max_length=6,
        forced_eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    BartForConditionalGeneration(config).save_pretrained(folder)
