from __future__ import annotations

import pytest

from bot.desk.reasons import in_language

REASONS = {
    "the customer asked for a person (0.97)": "客户要求人工客服 (0.97)",
    "strong anger while waiting": "等待时情绪强烈（anger）",
    "strong anger": "情绪强烈（anger）",
    "repeated anger (2 of the last 3 turns)": "最近 3 轮中有 2 轮情绪为 anger",
    "2 turns without an answer: no intent is certain enough (refund 0.30)": (
        "连续 2 轮没有答案: 没有足够确定的意图 (refund 0.30)"
    ),
    "no usable answer to order_number of form order": "表单 order 的 order_number 没有得到可用的回答",
    'legal: the customer said "sue you"': "legal: 客户说“sue you”",
    "important customer; strong anger": "重要客户; 情绪强烈（anger）",
    "form order: no answer to order_number wanted": "表单 order：客户不想回答 order_number",
    "FAQ entry a.zh (0.91) is more specific than refund (0.52)": "FAQ 条目 a.zh（0.91）比 refund（0.52）更具体",
    "FAQ entry a.zh after '怎么退货？'; by itself: intent refund (0.52)": (
        "接着“怎么退货？”，应为 FAQ 条目 a.zh；单独看： 意图 refund（0.52）"
    ),
    "order_cancel: order_number=FD20481937": "order_cancel: order_number=FD20481937",
}


@pytest.mark.parametrize(("reason", "chinese"), REASONS.items())
def test_reasons_in_chinese(reason: str, chinese: str) -> None:
    assert in_language(reason, "zh") == chinese
    assert in_language(reason, "en") == reason
