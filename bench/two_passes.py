"""What one would write without Frontdesk: a pipeline to classify and SentenceTransformer to search, in fp32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlu.manifest import read_manifest
from nlu.pretrained import quiet_transformers
from nlu.runtime import ENCODER_FOLDER


class TwoPasses:
    """The same encoder twice, loaded from a release.

    Its classifier's weights are random, which takes as long as trained ones.

    Args:
        release: a release folder.
    """

    def __init__(self, release: Path) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

        manifest = read_manifest(release)
        folder = str(release / ENCODER_FOLDER)
        labels = len(manifest.heads.get("intent", ("first", "second")))
        with quiet_transformers():
            model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=labels)
            tokenizer = AutoTokenizer.from_pretrained(folder)
            self._classify: Any = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
            self._embed: Any = SentenceTransformer(folder, device="cpu")
        self._prefix = manifest.prefix
        self._max_tokens = manifest.max_tokens

    def read(self, text: str) -> None:
        """Classifies and embeds a text; SentenceTransformer puts the release's own prompt before it."""
        self._classify(self._prefix + text, truncation=True, max_length=self._max_tokens)
        self._embed.encode(text, show_progress_bar=False)
