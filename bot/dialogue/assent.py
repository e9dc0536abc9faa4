"""Words that agree, doubt, refuse, put off or thank: what a form may rely on where a misreading could not be undone."""

from __future__ import annotations

import re
from collections.abc import Collection

from bot.alerts import folded

_DOUBT = re.compile(
    r"[?？]"
    r"|\b(?:not|no|never|none|wait|but|hold|hang|moment|second|minute|instead|rather|unless|cannot)\b|n't\b|\bdont\b"
    r"|不|别|没(?!错|问题|事)|等|先|但|慢|吗|再想|考虑"
)
_PUTS_OFF = re.compile(
    r"^(?:wait|hold on|hang on|(?:one|just a|give me a) (?:moment|second|sec|minute)|let me (?:check|look)|why\b"
    r"|what for|等一下|等一等|等等|稍等|等会|我(?:先)?(?:找|看|查)|为什么|为何|为啥|干嘛)"
)
_SHORT = 40
"""Characters; a longer message is a text that begins like this."""
_ANOTHER_ORDER = re.compile(
    r"\b(?:(?:an)?other|different|wrong) (?:order|number)\b|\border (?:number )?is wrong\b"
    r"|(?:另|别|其他|其它|错)[一外的个]{0,3}(?:订单|单号|单)|(?:订单|单)号?(?:错|不对)"
)
_COURTESY = re.compile(
    r"(?:(?:ok(?:ay)?|k|alright|all right|right|great|good|perfect|fine|cool|nice|super|lovely|got it|i see"
    r"|understood|noted|thanks|thank you|thx|cheers|ta|very much|so much|a lot|many|bye|goodbye"
    r"|好的?|行|嗯|哦|噢|明白|知道|了解|收到|懂|没问题|没事|谢谢|感谢|多谢|谢了|辛苦|再见|拜拜|非常|太|您|你|们|啦|了|吧|呀|啊|的)"
    r"[\s\W_]*)++"
)
_SIGNS = dict.fromkeys("👍👌✅🆗☑✔", "yes") | dict.fromkeys("👎❌🚫🙅✖✗", "no")
_HAN = re.compile(r"[\u3400-\u9fff]")
_AFTER_ONE_CHARACTER = re.compile(r"[\s\W_的吧啊呀呢哦滴]|$")
_GOES_ON = re.compile(r"[A-Za-z0-9']")
_HARMLESS = re.compile(r"\s*(?:no (?:problem|worries|doubt)|不用谢|不客气|不好意思)", re.IGNORECASE)
_MARKS = " \t\n,.;:!，。；：！、-"
_LEAD_IN = re.compile(
    r"^(?:(?:it|that|this|the (?:new )?\w+|my (?:new )?\w+)(?:['\u2019]s| is| should be| must be)\s+"
    r"|(?:make it|use|change it to|should be)\s+|(?:应该|应当)?是|改(?:成|为|到)|换成)\s*[:：]?\s*",
    re.IGNORECASE,
)
_FEWEST_NEW = 2


def doubts(text: str) -> bool:
    """Whether a message asks, refuses or hesitates by its words, whatever a model makes of it."""
    return bool(_DOUBT.search(folded(text)))


def puts_off(text: str) -> bool:
    """Whether a short message asks for time or for a reason, so that it answers no question."""
    said = folded(text).strip()
    return len(said) <= _SHORT and bool(_PUTS_OFF.match(said))


def means_another_order(text: str) -> bool:
    """Whether a short message says that another order is meant than the one that was named."""
    said = folded(text)
    return len(said) <= _SHORT and bool(_ANOTHER_ORDER.search(said))


def is_courtesy(text: str) -> bool:
    """Whether a message says no more than that the customer heard, or thanks."""
    said = folded(text).strip()
    return bool(said) and bool(_COURTESY.fullmatch(said))


def says_yes(text: str, words: Collection[str]) -> bool:
    """Whether a message begins with a word of agreement and leaves no doubt.

    Args:
        text: the message.
        words: that agree, case-folded.

    Returns:
        True where nothing in it hesitates, refuses or asks.
    """
    rest = _after(text, words)
    return rest is not None and not doubts(rest)


def says_no(text: str, words: Collection[str]) -> bool:
    """Whether a message begins with a word of refusal; "no problem" does not count."""
    return not _HARMLESS.match(text) and _after(text, words) is not None


def meaning_of_sign(text: str) -> str:
    """`yes` or `no` where a message is a thumb, a tick or the like and nothing else; empty otherwise."""
    said = [character for character in text if not character.isspace()]
    if any(map(str.isalnum, said)):
        return ""
    return _SIGNS.get(next(iter(said), ""), "")


def instead(text: str, words: Collection[str]) -> str:
    """What a message that begins with a refusal wants instead.

    Args:
        text: the message.
        words: that refuse, case-folded.

    Returns:
        The rest of it as it was written, without "it is" and the like; empty where there is next to none.
    """
    wanted = _LEAD_IN.sub("", (_after(text, words) or "").lstrip(_MARKS), count=1).strip()
    return wanted if len(wanted.split()) >= _FEWEST_NEW or len(_HAN.findall(wanted)) > _FEWEST_NEW else ""


def _after(text: str, words: Collection[str]) -> str | None:
    """What follows the longest of some words that a message begins with; None where it begins with none."""
    said = text.strip()
    for word in sorted(words, key=len, reverse=True):
        rest = said[len(word) :]
        if said[: len(word)].casefold() != word:
            continue
        if not _HAN.search(word):
            if not _GOES_ON.match(rest):
                return rest
        elif len(word) > 1 or _AFTER_ONE_CHARACTER.match(rest):
            return rest
    return None
