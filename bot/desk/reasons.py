"""Why the bot did something, in the language of whoever reads it; it is noted in English."""

from __future__ import annotations

import re

_NUMBER = r"\(([0-9.]+)\)"

_CHINESE = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r"the customer asked for a person", "客户要求人工客服"),
        (r"the customer asked for all of FAQ entry (\S+)", r"客户要看 FAQ 条目 \1 的全文"),
        (r"the customer chose FAQ entry (\S+)", r"客户选择了 FAQ 条目 \1"),
        (r"the customer chose the language (\S+)", r"客户选择了语言 \1"),
        (r"the customer chose (\S+)", r"客户选择了 \1"),
        (r'the customer said "([^"]*)"', r"客户说“\1”"),
        (r"the customer gave (\d) of 5 stars", r"客户评了 \1 星（共 5 星）"),
        (r"the customer is blocked", "客户已被拉黑"),
        (r"important customer", "重要客户"),
        (r"strong (\w+) while waiting", r"等待时情绪强烈（\1）"),
        (r"strong (\w+)", r"情绪强烈（\1）"),
        (r"repeated (\w+) \((\d+) of the last (\d+) turns\)", r"最近 \3 轮中有 \2 轮情绪为 \1"),
        (r"(\d+) turns without an answer", r"连续 \1 轮没有答案"),
        (r"no intent, no FAQ entry and nothing to suggest", "没有意图、没有 FAQ 条目，也没有可建议的内容"),
        (r"no intent is certain enough", "没有足够确定的意图"),
        (r"no intent accepted", "没有可采纳的意图"),
        (r"two intents are close", "两个意图难以区分"),
        (r"out of scope", "超出服务范围"),
        (r"language (\S+) is not configured", r"没有配置语言 \1"),
        (r"no usable answer to (\w+) of form (\w+)", r"表单 \2 的 \1 没有得到可用的回答"),
        (r"form (\w+) cancelled by the customer", r"客户取消了表单 \1"),
        (r"form (\w+): (\w+) answered", r"表单 \1：已回答 \2"),
        (r"form (\w+): no answer to (\w+) wanted", r"表单 \1：客户不想回答 \2"),
        (r"form (\w+): no answer to (\w+)", r"表单 \1：没有回答 \2"),
        (r"FAQ entry (\S+) after '([^']*)'; by itself:", r"接着“\2”，应为 FAQ 条目 \1；单独看："),
        (rf"FAQ entry (\S+) {_NUMBER} is more specific than (\S+) {_NUMBER}", r"FAQ 条目 \1（\2）比 \3（\4）更具体"),
        (rf"FAQ entry (\S+) {_NUMBER}", r"FAQ 条目 \1（\2）"),
        (rf"intent (\S+) {_NUMBER}", r"意图 \1（\2）"),
        (r"(\d+) questions:", r"\1 个问题："),
        (r"command (/\S+)", r"命令 \1"),
        (r"a (\w+) without words", r"没有文字的消息（\1）"),
        (r"longer than (\d+) characters", r"超过 \1 个字符"),
        (r"more than (\d+) messages within a minute", r"一分钟内超过 \1 条消息"),
        (r"a human is on the way", "人工客服已在路上"),
        (r"a fault inside the bot", "机器人内部故障"),
    )
]


def in_language(reason: str, lang: str) -> str:
    """A reason as it is read.

    Args:
        reason: as it was noted; names of intents, forms and moods are the operator's own and stay.
        lang: the reader's language.

    Returns:
        The reason in Chinese for `zh`, as it was noted for any other language.
    """
    if lang == "zh":
        for pattern, words in _CHINESE:
            reason = pattern.sub(words, reason)
    return reason
