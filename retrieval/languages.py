"""The language of an entry: as a file names it, or as its text shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAMES = {
    **dict.fromkeys(("english", "英文", "英语", "英語"), "en"),
    **dict.fromkeys(("chinese", "中文", "汉语", "漢語", "简体中文", "繁體中文"), "zh"),
}
_HAN_OR_WORD = re.compile(
    "([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])|[^\\W\\d_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)


def language_tag(code: str) -> str | None:
    """The primary language of a code or name.

    Args:
        code: such as `zh_CN`, `EN-us` or `Chinese`.

    Returns:
        Such as `zh`; None where it is no language.
    """
    plain = code.strip().casefold()
    tag = _NAMES.get(plain) or re.split("[-_]", plain, maxsplit=1)[0]
    return tag if re.fullmatch("[a-z]{2,3}", tag) else None


def spoken_language(code: str, languages: Iterable[str]) -> str | None:
    """The one of a bot's languages that a code or name means.

    Args:
        code: such as `zh_CN`, `EN-us` or `Chinese`.
        languages: the bot's languages.

    Returns:
        One of `languages`, or None.
    """
    spoken = tuple(languages)
    tag = language_tag(code)
    return code if code in spoken else next((each for each in spoken if tag and language_tag(each) == tag), None)


def language_of(*texts: str) -> str:
    """The language of an entry or query that names none: `zh` or `en`.

    A Chinese character counts like one word of another script; on a tie the text is Chinese, as that borrows words.

    Args:
        *texts: the first that has any words decides.

    Returns:
        `zh` where the text is Chinese, else `en`.
    """
    for text in texts:
        found = [match[1] is not None for match in _HAN_OR_WORD.finditer(text)]
        if found:
            return "zh" if 2 * sum(found) >= len(found) else "en"
    return "en"
