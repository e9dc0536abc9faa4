"""The web chat's own words, in English and Chinese; both dictionaries have the same keys."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "agent": "Customer service",
    "bad": "Not helpful",
    "forbidden": "Please reload this page; it needs cookies to keep your conversation.",
    "foreign": (
        "The server did not take this for its own page. If it is one, the proxy before the server must pass on the "
        "header Host."
    ),
    "good": "Helpful",
    "input": "Your message",
    "invalid": "That could not be read as a message. Please try again with ordinary text.",
    "log": "Conversation",
    "my_data": "Download my data",
    "no_script": "This chat needs JavaScript. Please switch it on and reload the page.",
    "not_found": "That message is not part of your conversation.",
    "offline": "No connection. Trying again…",
    "placeholder": "Type a message…",
    "resend": "Send again",
    "send": "Send",
    "subtitle": "Usually answers at once",
    "switch": "中文",
    "too_long": "That message is too long; please keep it to {limit} characters.",
    "too_many": "That was a lot of messages at once. Please wait a moment and send it again.",
    "typing": "is typing",
    "unavailable": "Sorry, we cannot answer right now. Please try again in a moment.",
    "unsent": "Not sent",
}

CHINESE: Mapping[str, str] = {
    "agent": "人工客服",
    "bad": "没有帮助",
    "forbidden": "请刷新页面；保存会话需要启用 Cookie。",
    "foreign": "服务器不认为这是它自己的页面。如果确实是，服务器前面的代理必须原样转发 Host 请求头。",
    "good": "有帮助",
    "input": "您的消息",
    "invalid": "无法识别这条消息，请输入普通文字后重试。",
    "log": "会话",
    "my_data": "下载我的数据",
    "no_script": "聊天需要启用 JavaScript，请开启后刷新页面。",
    "not_found": "这条消息不在您的会话中。",
    "offline": "网络已断开，正在重连…",
    "placeholder": "输入消息…",
    "resend": "重新发送",
    "send": "发送",
    "subtitle": "通常即时回复",
    "switch": "English",
    "too_long": "消息太长了，请控制在 {limit} 个字以内。",
    "too_many": "消息发送得太快了，请稍等片刻再发。",
    "typing": "正在输入",
    "unavailable": "抱歉，暂时无法回复，请稍后再试。",
    "unsent": "未发送",
}

TEXTS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "zh": CHINESE}
