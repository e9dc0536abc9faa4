"""Questions with answers out of HTML pages and Markdown documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cost import assert_linear, processor_seconds
from training.import_report import Report
from training.import_sources import read_source

Found = list[tuple[int, str, str]]


def read(path: Path, content: str) -> tuple[Found, Report]:
    path.write_bytes(content.encode())
    report = Report()
    records = [(r.line, r.fields.get("question", ""), r.fields.get("answer", "")) for r in read_source(path, report)]
    return [(line, str(question), str(answer)) for line, question, answer in records], report


MARKDOWN = {
    "headings that ask": (
        "# FAQ\n\n## How long does it take?\n\nAbout **3 days**.\n\n## 怎么退货？\n七天\n无理由。\n",
        [(3, "How long does it take?", "About 3 days."), (7, "怎么退货？", "七天无理由。")],
    ),
    "underlined headings": ("How?\n====\n\nSo.\n", [(1, "How?", "So.")]),
    "a number before the question": ("## 1. 怎么退货\n七天。\n", [(1, "怎么退货", "七天。")]),
    "a number of several levels": ("## 1.2 Why so?\n\nSo.\n", [(1, "Why so?", "So.")]),
    "a number that belongs to the question": ("## 3 days, is it true?\n\nSo.\n", [(1, "3 days, is it true?", "So.")]),
    "a lower heading belongs to the answer": (
        "## How?\n\nSo.\n\n### On islands\n\n- slowly\n",
        [(1, "How?", "So.\nOn islands\n- slowly")],
    ),
    "a heading that holds questions is none": ("# How do I ...?\n\n## How?\n\nSo.\n", [(3, "How?", "So.")]),
    "a heading that does not ask ends the answer": ("## How?\n\nSo.\n\n## About us\n\nx\n", [(1, "How?", "So.")]),
    "a question in bold type": ("**Can I?**\n\nYes.\n\n**Note**\n\nx\n", [(1, "Can I?", "Yes.\nNote\nx")]),
    "letters": (
        "Q: Can I?\nA: Yes,\n   always.\n\nQ: Why?\nA: So.\n",
        [(1, "Can I?", "Yes, always."), (5, "Why?", "So.")],
    ),
    "Chinese letters": (
        "问：能退吗\n答：能。\n\n问题2：为什么\n答案2：因为。\n",
        [(1, "能退吗", "能。"), (4, "为什么", "因为。")],
    ),
    "letters in a list": (
        "- **Q:** One?\n  **A:** Two.\n- Q2. Three?\n- A2. Four.\n",
        [(1, "One?", "Two."), (3, "Three?", "Four.")],
    ),
    "Chinese numbers": (
        "# 一、怎么退货\n七天。\n\n# （二）能换吗\n能。\n",
        [(1, "怎么退货", "七天。"), (4, "能换吗", "能。")],
    ),
    "counted letters": ("问题一：能退吗\n答：能。\n", [(1, "能退吗", "能。")]),
    "letters that count": (
        "Q: Sizes?\nA: We have\n\na. small\nb. large\n",
        [(1, "Sizes?", "We have\na. small b. large")],
    ),
    "a letter before a heading": ("### Q: Sizes\n\nA: S to L.\n", [(1, "Sizes", "S to L.")]),
    "code is no heading": ("## How?\n\n```\n# not a heading?\n```\n", [(1, "How?", "# not a heading?")]),
    "a link": (
        "## How?\n\nSee [here][1].\n\n[1]: https://shop.example\n",
        [(1, "How?", "See here (https://shop.example).")],
    ),
    "a table": ("|问题|答案|\n|---|---|\n|几点开门|九点|\n", [(3, "几点开门", "九点")]),
    "another table": ("## How much?\n\n|EU|US|\n|---|---|\n|5|9|\n", [(1, "How much?", "EU | US\n5 | 9")]),
    "HTML inside": (
        "\n<details>\n<summary>Can I?</summary>\n\nYes, **always**.\n\n</details>\n",
        [(3, "Can I?", "Yes, always.")],
    ),
    "front matter": ("---\ntitle: what?\n---\n# How?\n\nSo.\n", [(4, "How?", "So.")]),
    "a rule is no front matter": ("---\n\n## How: so?\n\nWell: so.\n\n---\n", [(3, "How: so?", "Well: so.")]),
    "a rule before a heading": ("---\n# How?\nSo.\n\n---\n# Why?\nSo.\n", [(2, "How?", "So."), (6, "Why?", "So.")]),
    "a rule before letters": ("---\nQ: How?\nA: So.\n\n---\n", [(2, "How?", "So.")]),
    "an answer about paper": (
        "## What sizes?\n\nA5: 148 × 210 mm\nA4: 210 × 297 mm\n\n### A3: poster\n",
        [(1, "What sizes?", "A5: 148 × 210 mm A4: 210 × 297 mm\nA3: poster")],
    ),
    "an answer about paper under a letter": (
        "Q2: What sizes?\n\nA2: These:\n\nA4: 210 × 297 mm\n",
        [(1, "What sizes?", "These:\nA4: 210 × 297 mm")],
    ),
    "an answer about quarters": (
        "## When is it?\n\nQ1: January to March\n\nQ2: April to June\n",
        [(1, "When is it?", "Q1: January to March\nQ2: April to June")],
    ),
    "counted questions without counted answers": (
        "Q1: Sizes\nA: S to L.\n\nQ2: Why?\n\nSo.\n",
        [(1, "Sizes", "S to L."), (4, "Why?", "So.")],
    ),
    "figures that belong to the question": (
        "## 1.5 kg parcels, how much?\n5\n\n## 3.5 mm jack?\nYes.\n\n## 2.4 GHz?\nYes.\n\n## 1.5 公斤多少钱？\n5\n",
        [
            (1, "1.5 kg parcels, how much?", "5"),
            (4, "3.5 mm jack?", "Yes."),
            (7, "2.4 GHz?", "Yes."),
            (10, "1.5 公斤多少钱？", "5"),
        ],
    ),
    "a number before a question in small letters": ("## 1.2 why so?\n\nSo.\n", [(1, "why so?", "So.")]),
    "an ordered list": ("## How?\n\n3. a\n4. b\n", [(1, "How?", "3. a\n4. b")]),
    "a question in bold type right above its answer": (
        "# FAQ\n\n**Can I?**\nYes.\n\n**Why?**  \nSo,\n**always**.\n**When?**\nNow.\n",
        [(3, "Can I?", "Yes."), (6, "Why?", "So, always."), (9, "When?", "Now.")],
    ),
    "windows line ends": ("# How?\r\n\r\nSo.\r\n", [(1, "How?", "So.")]),
    "a question without an answer": ("# How?\n\n# Why?\n\nSo.\n", [(1, "How?", ""), (3, "Why?", "So.")]),
}


@pytest.mark.parametrize(("content", "expected"), MARKDOWN.values(), ids=MARKDOWN)
def test_markdown(tmp_path: Path, content: str, expected: Found) -> None:
    found, report = read(tmp_path / "a.md", content)
    assert found == expected
    assert not report.broken


PAGES = {
    "headings that ask": (
        "<!doctype html>\n<html><div>\n<h2>怎么退货？</h2>\n<p>七天<b>无理由</b>。</p>\n<p>x</p></div></html>",
        [(3, "怎么退货？", "七天无理由。\nx")],
    ),
    "details": (
        "<details>\n<summary>Can I?</summary>Yes, <i>always</i>.<p>Well.</p></details>",
        [(2, "Can I?", "Yes, always.\nWell.")],
    ),
    "details within details": (
        "<details><summary>Shipping</summary>\n<details><summary>When?</summary>Soon.</details></details>",
        [(2, "When?", "Soon.")],
    ),
    "terms": (
        "<dl>\n<dt>Card?</dt><dd>Yes.</dd><dd>Visa.</dd>\n<dt>Cash</dt><dd>No.</dd></dl>",
        [(2, "Card?", "Yes.\nVisa."), (3, "Cash", "No.")],
    ),
    "terms left open": ("<dl><dt>Card?<dd>Yes.\n<dt>Cash?<dd>No.</dl>", [(1, "Card?", "Yes."), (2, "Cash?", "No.")]),
    "a table": (
        "<table><thead><tr><th>Question</th><th>Answer</th></tr></thead>\n<tr><td>When?</td><td>At<br>9</td></tr></table>",
        [(2, "When?", "At\n9")],
    ),
    "a table with cells over several rows": (
        (
            "<table><tr><th>Topic<th>Question<th>Answer<th>Notes\n<tr><td rowspan=3>Open<td>When?<td rowspan=2>9<td>a\n"
            "<tr><td>At what time?<td>b\n<tr><td>Sundays?<td>No<td>c\n<tr><td>Pay<td>Card?<td>Yes<td>d</table>"
        ),
        [(2, "When?", "9"), (3, "At what time?", "9"), (4, "Sundays?", "No"), (5, "Card?", "Yes")],
    ),
    "a table with cells over several columns": (
        (
            "<table><tr><th colspan=2>Topic<th>Question<th>Answer\n<tr><td>a<td>b<td>When?<td>9\n"
            "<tr><td colspan=2>a<td>Why?<td>So\n<tr><th colspan=4>Paying\n<tr><td>a<td>b<td>Card?<td>Yes</table>"
        ),
        [(2, "When?", "9"), (3, "Why?", "So"), (5, "Card?", "Yes")],
    ),
    "a table within a table": (
        "<table><tr><th>Question<th>Answer</tr><tr><td>When?<td><table><tr><td>Mo<td>9</table></table>",
        [(1, "When?", "Mo | 9")],
    ),
    "letters": (
        "<p><b>Q: One?</b><br>A: Two.</p>\n<p>Q2. Three?</p>\n<p>A2. Four.</p>",
        [(1, "One?", "Two."), (2, "Three?", "Four.")],
    ),
    "scripts and handlers": (
        "<h2 onclick='x()'>How?</h2><script>steal('<h2>Why?</h2>')</script><p onload=x()>So.</p><style>p{}</style>",
        [(1, "How?", "So.")],
    ),
    "navigation and footer": (
        "<nav><h2>What else?</h2>x</nav><h2>How?</h2>So.<footer>(c)</footer>",
        [(1, "How?", "So.")],
    ),
    "bold type as Word writes it": (
        "<p class=MsoNormal><span lang=EN-US><b>1、怎么退货？<o:p></o:p></b></span></p><p>七天。</p>",
        [(1, "怎么退货？", "七天。")],
    ),
    "a heading that is a link": ("<h2><a href='https://shop.example/#a'>How?</a> ¶</h2>So.", [(1, "How?", "So.")]),
    "a question in bold type right above its answer": (
        "<p><b>Can I?</b><br>\nYes.<br><strong>Why?</strong><br>So.</p>",
        [(1, "Can I?", "Yes."), (2, "Why?", "So.")],
    ),
    "text without tags around": ("<h2>How?</h2>So <em>it</em> is.", [(1, "How?", "So it is.")]),
}


@pytest.mark.parametrize(("content", "expected"), PAGES.values(), ids=PAGES)
def test_html(tmp_path: Path, content: str, expected: Found) -> None:
    found, report = read(tmp_path / "a.html", content)
    assert found == expected
    assert not report.broken


def test_a_row_that_does_not_fit_the_header_is_refused(tmp_path: Path) -> None:
    table = (
        "<table><tr><th>Notes<th>Question<th>Answer\n<tr><td>Why?<td>So\n<tr><td>a<td>b<td>c<td>d\n<tr><td>x<td>y?<td>z"
    )
    found, report = read(tmp_path / "a.html", f"{table}</table>")
    assert found == [(4, "y?", "z")]
    assert [str(note).split(": ", 1)[1] for note in report.broken] == [
        "expected 3 cells, as the header has, got 2; complete the row",
        "expected 3 cells, as the header has, got 4; complete the row",
    ]


def test_columns_of_one_name_are_one_list_or_refused(tmp_path: Path) -> None:
    head = "|question|answer|相似问|相似问|\n|---|---|---|---|\n"
    (tmp_path / "a.md").write_text(f"{head}|Why?|So|a|b|\n")
    (record,) = read_source(tmp_path / "a.md", Report())
    assert record.fields["variants"] == ["a", "b"]
    found, report = read(tmp_path / "a.md", head.replace("相似问|相似问", "answer|tags") + "|Why?|So|Internal|b|\n")
    assert found == []
    assert str(report.broken[0]).endswith("a.md:1: the column 'answer' is there twice; rename or remove one")


def test_several_terms_for_one_description_are_variants(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<dl><dt>Card?</dt><dt>Can I pay by card?</dt><dd>Yes.</dd></dl>")
    (record,) = read_source(tmp_path / "a.html", Report())
    assert record.fields == {"question": "Card?", "answer": "Yes.", "variants": ["Can I pay by card?"]}


def test_a_line_that_a_document_claims_for_itself_breaks_nothing(tmp_path: Path) -> None:
    content = '<section data-import-line="x">\n<aside data-import-line="' + "9" * 5000 + '">\n\n# How?\n\nSo.\n'
    found, _ = read(tmp_path / "a.md", content)
    assert found == [(4, "How?", "So.")]


@pytest.mark.parametrize("name", ["a.md", "a.html"])
def test_what_stands_under_no_question_is_named(tmp_path: Path, name: str) -> None:
    content = "Welcome.\n\n# How?\n\nSo.\n" if name == "a.md" else "<p>Welcome.</p><h1>How?</h1><p>So.</p>"
    found, report = read(tmp_path / name, content)
    assert len(found) == 1
    (note,) = report.refused
    assert (note.line, note.broken) == (1, False)
    assert "under no question" in note.message


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.html", "<div>" * 5000), ("a.md", "<div>" * 5000), ("a.html", "<dl><dt>" * 5000)],
    ids=["page", "document", "terms"],
)
def test_too_deep_a_page_is_refused(tmp_path: Path, name: str, content: str) -> None:
    found, report = read(tmp_path / name, content)
    assert found == []
    assert "nested deeper than 256" in report.broken[0].message


SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
LINES = st.lists(
    st.sampled_from(
        [
            *("# How?", "## 怎么", "Q: a?", "A: b", "问：", "- x", "```", "> y", "", "text", "<details>", "</details>"),
            *(
                "<summary>s</summary>",
                "<dl><dt>t",
                "<dd>u",
                "<table><tr><td>question<td>answer",
                "<tr><td>",
                "**Why?**",
            ),
            *("|question|answer|", "|-|-|", "|a|b|", "\x00", "<script>", "</p>", "---", "[1]: x", "&lt;", "\u2028"),
        ]
    ),
    max_size=12,
).map("\n".join)


@SAME_FOLDER
@given(content=LINES, name=st.sampled_from(["a.md", "a.html"]))
def test_whatever_is_written_gives_records_within_the_file(tmp_path: Path, content: str, name: str) -> None:
    found, report = read(tmp_path / name, content)
    assert all(1 <= line <= content.count("\n") + 1 for line, _, _ in found)
    assert found or report.refused


@pytest.mark.parametrize(
    "piece", ["<h2>How?</h2>", "<p>Q: ", "Q: a?\n", "<dl><dt>x<dd>y</dl>", "<p>\n ", "<p></p>", "Q1: a\n"]
)
@pytest.mark.parametrize("name", ["a.md", "a.html"])
def test_time_grows_with_the_length_alone(tmp_path: Path, piece: str, name: str) -> None:
    assert_linear(lambda length: read(tmp_path / name, piece * (length // len(piece))), 2_000)


def test_cells_that_span_everything_cost_little(tmp_path: Path) -> None:
    rows = "<tr><td rowspan=9999 colspan=9999>x" * 2_000
    table = f"<table><tr><td>question<td>answer{rows}</table>"
    assert processor_seconds(lambda: read(tmp_path / "a.html", table)) < 4


def test_empty_paragraphs_in_one_passage_cost_little(tmp_path: Path) -> None:
    page = f"<h2>How?</h2><div>{'<p></p>' * 20_000}x</div>"
    assert processor_seconds(lambda: read(tmp_path / "a.html", page)) < 4
    assert read(tmp_path / "a.html", page)[0] == [(1, "How?", "x")]
