"""Builds a fast tokenizer from the pieces and scores of a SentencePiece unigram model (https://arxiv.org/abs/1804.10959)."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from nlu.vocabulary import WORD_START

BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
SPECIAL_PIECES = (BOS, PAD, EOS, UNK, MASK)

_FULL_WIDTH_TILDE = "\uff5e"
_NON_CHARACTER = "\uffff"


def build_tokenizer(pieces: Sequence[str], scores: Sequence[float], max_tokens: int) -> PreTrainedTokenizerFast:
    """Builds the tokenizer with XLM-RoBERTa's template, `<s> text </s>`.

    Args:
        pieces: the vocabulary, a piece's place being its id; holds `SPECIAL_PIECES`.
        scores: the log probability of each piece.
        max_tokens: the longest input of the model, special tokens included.

    Returns:
        The tokenizer.
    """
    tokenizer = Tokenizer(Unigram(list(zip(pieces, scores, strict=True)), unk_id=pieces.index(UNK)))
    tokenizer.normalizer = _sentencepiece_normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} {EOS} $B {EOS}",
        special_tokens=[(BOS, pieces.index(BOS)), (EOS, pieces.index(EOS))],
    )
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False, special=True) for piece in SPECIAL_PIECES])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        cls_token=BOS,
        sep_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        mask_token=MASK,
        model_max_length=max_tokens,
        model_input_names=["input_ids", "attention_mask"],
    )


def _sentencepiece_normalizer() -> normalizers.Normalizer:
    """SentencePiece's `nmt_nfkc`: controls and spaces as NMT treats them, then NFKC but for the full-width tilde."""
    return normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.Replace(_FULL_WIDTH_TILDE, _NON_CHARACTER),
            normalizers.NFKC(),
            normalizers.Replace(_NON_CHARACTER, _FULL_WIDTH_TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
