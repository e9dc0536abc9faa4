from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrieval.plain_text import has_markup, plain_text
from tests.cost import assert_linear, processor_seconds

UNTOUCHED = {
    "nothing": "",
    "plain": "Within 30 days.\n\n  Keep the box. ",
    "comparison": "a < b and c > d",
    "comparison without spaces": "if a<b and c>d, ask",
    "ampersands": "AT&T, R&D; Q&A",
    "a placeholder": "Send us <order number> by mail",
    "placeholders that HTML knows": "Dear <title>, call us at <time> with <order data>",
    "a Chinese placeholder": "请提供<订单号>和<姓名>",
    "an address in brackets": "<https://shop.example>",
    "a heart": "thanks <3",
    "an unknown entity": "x &nosuch; y",
    "an open tag": "5 <b",
    "a tag that is named": "Use the <style> tag. The rest stays, as after <script>, <iframe> and <head>.",
    "a tag that is named in Chinese": "请使用<textarea>标签。后面的话也要留下。",
}

CLEANED = {
    "paragraphs": ("<p>One.</p>\n\n<p>Two.</p>", "One.\nTwo."),
    "breaks": ("one<br>two<br/><br />three", "one\ntwo\n\nthree"),
    "containers": ("<div><div><p>x</p></div></div><div>y</div>", "x\ny"),
    "a list": ("Bring:<ul>\n<li>the box</li>\n<li>the bill</li></ul>Thanks", "Bring:\n- the box\n- the bill\nThanks"),
    "a list left open": ("<ul><li>a<li>b", "- a\n- b"),
    "an empty item": ("<ul><li></li><li>b</li></ul>", "- b"),
    "an ordered list": ("<ol><li>a</li><li>b<ul><li>c</ul></li><li>d</ol><li>e", "1. a\n2. b\n- c\n3. d\n- e"),
    "an ordered list that goes on": ("<ol class=x start='4'><li>a<li>b</ol>", "4. a\n5. b"),
    "a table": ("<table><tr><th>EU</th><td>5</td></tr><tr><th>US</th><td>9</td></tr></table>", "EU | 5\nUS | 9"),
    "preformatted": ("<pre>a\nb</pre>", "a\nb"),
    "white space": ("<p>  a \n\t b </p>", "a b"),
    "no space within Chinese": ("<p>七天\n  无理由</p>", "七天无理由"),
    "lines are kept where tags are inline": ("a <b>b</b>\nc", "a b\nc"),
    "entities": ("a &amp; b &lt;x&gt;&nbsp;&#33;&#x4e2d;", "a & b <x> !中"),
    "script": ("hi<script>if (a<b) alert('</p>')</script> there", "hi there"),
    "script in capitals": ("<SCRIPT src=x>y</SCRIPT >z", "z"),
    "script left open": ("a<script>b", "a"),
    "script with quotes": ("<p>a</p><script>x = \"<b\"; y = '</scrip'</script><p>b</p>", "a\nb"),
    "script left open after a tag": ("<p>a</p><script> b", "a"),
    "script with attributes left open": ("a <script src='x'> b", "a"),
    "a script beside one that is named": ("Use <script> so: <script>x()</script> and more", "Use and more"),
    "a tag that is named beside others": ("<p>Use the <style> tag.</p><p>b</p>", "Use the <style> tag.\nb"),
    "style": ("<style>p { color: red }</style>x", "x"),
    "comment": ("a<!-- <p>b</p> -->c", "ac"),
    "comment left open": ("a<!-- b", "a"),
    "event handler": ('<p onclick="if (a>b) steal()">x</p>', "x"),
    "image": ("<img src=x onerror=alert(1)>x", "x"),
    "web link": (
        'See <a href="https://shop.example/r?a=1&amp;b=2">returns</a>.',
        "See returns (https://shop.example/r?a=1&b=2).",
    ),
    "mail link": ('<a href="mailto:help@shop.example">写信</a>', "写信 (help@shop.example)"),
    "link that is its words": ('<a href="https://shop.example/">shop.example</a>', "shop.example"),
    "link around an image": ('<a href="https://shop.example"><img src="x"></a>', "https://shop.example"),
    "script link": ('<a href="javascript:alert(1)">x</a>', "x"),
    "hidden script link": ('<a href=" java&#x09;script:alert(1)">x</a>', "x"),
    "relative link": ('<a href="/returns">x</a>', "x"),
    "tag put together from two": ("<scr<b>ipt>alert(1)</scr</b>ipt>", "< script>alert(1)< /script>"),
    "comparison beside tags": ("5 < 6 <b>and</b> <order no>", "5 < 6 and <order no>"),
    "a placeholder ends no line": ("<b>a</b>\nb <section>", "a\nb <section>"),
    "placeholders beside tags": ("<p>Dear <title>, hello</p>", "Dear <title>, hello"),
    "a page": ("<!doctype html><html><head><title>t</title></head><body>b</body></html>", "b"),
}


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED)
def test_a_text_without_markup_stays(text: str) -> None:
    assert plain_text(text) == text
    assert not has_markup(text)


@pytest.mark.parametrize(("text", "expected"), CLEANED.values(), ids=CLEANED)
def test_html_becomes_text(text: str, expected: str) -> None:
    assert has_markup(text)
    assert plain_text(text) == expected


PIECES = st.lists(
    st.sampled_from(
        [
            *("<script>", "</script>", "<style", "</style>", "<scr", "ipt>", "<b>", "</b>", "<p", ">", "<", '"', "'"),
            *("<!--", "-->", '<a href="', "javascript:", "x", "中", " ", "\n", "&lt;", "&", "</a>", "<li>", "<br/>"),
            *("<pre>", "\x00", "\ufdd0", "!--"),
        ]
    ),
    max_size=25,
).map("".join)


@given(PIECES)
@example("<script>\x00<style<script>")
def test_no_tag_that_is_known_survives(text: str) -> None:
    # An escaped `<` is text that was written about HTML, and may stand before anything; so is a tag that is named.
    plain = re.sub(r"(?<![\w>])<(script|style)>(?![\w<])", "<?", plain_text(text.replace("&lt;", "")), flags=re.ASCII)
    # A tag of one letter has attributes with values or none; else it may be a comparison.
    assert not re.search(r"</?((script|style|li|br|pre)([\s/][^<>]*)?|[abp]([\s/]*|[\s/][^<>]*=[^<>]*))>|<!--", plain)
    assert "(javascript:" not in plain


@given(st.text(st.characters(exclude_characters="<&")))
def test_without_signs_of_markup_every_text_stays(text: str) -> None:
    assert plain_text(text) == text


HOSTILE = (
    "<div>",
    "<b id=1>",
    '<a "',
    "<a 'x\"",
    "<script>",
    "<!--",
    "<",
    "</p>",
    "&amp;",
    "<td>",
    "<x",
    "\n<p>",
    " <style> ",
    "<ol start=1>",
    "<ol><li>",
    "<a href=",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    assert_linear(lambda length: plain_text(piece * (length // len(piece))), 10_000)


def test_formatting_that_a_conforming_parser_repeats_in_every_paragraph_costs_nothing() -> None:
    text = "".join(f"<b id={number}>" for number in range(20_000)) + "<p>x" * 100_000
    assert processor_seconds(lambda: plain_text(text)) < 5
    assert plain_text(text).count("x") == 100_000
