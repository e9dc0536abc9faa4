"""`frontdesk import`: existing FAQ, examples, transcripts and Rasa projects, brought in with a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.knowledge import live_entries
from bot.cli.learn import AsJson
from bot.cli.output import data_files, fail, print_json, print_line, say
from bot.errors import FaqError, FrontdeskError, InputError, ReleaseError
from bot.settings import Settings, read_settings
from retrieval.types import Embed
from training.import_examples import KnownExamples, convert_examples
from training.import_files import check_targets, example_lines, faq_lines, write_together
from training.import_known import KnownFaq
from training.import_report import Report
from training.rasa_files import read_project

Source = Annotated[Path, typer.Argument(metavar="PATH", help="The file, or a folder of such files.")]
Project = Annotated[Path, typer.Argument(metavar="PATH", help="The project's folder, or one of its YAML files.")]
Out = Annotated[Path | None, typer.Option("--out", help="The .jsonl file to write instead of the usual one.")]
OutFolder = Annotated[Path | None, typer.Option("--out", help="The folder to write to instead of the bot's.")]
Replace = Annotated[bool, typer.Option("--replace", help="Write anew what an earlier import has written.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Take the sound records though others are refused.")]


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    group = typer.Typer(help="Bring existing material in; nothing is taken by halves unasked.", no_args_is_help=True)
    group.command("faq")(import_faq)
    group.command("examples")(import_examples)
    group.command("transcripts")(import_transcripts)
    group.command("rasa")(import_rasa)
    app.add_typer(group, name="import")


def import_faq(
    path: Source, out: Out = None, replace: Replace = False, skip_bad: SkipBad = False, as_json: AsJson = False
) -> None:
    """Questions with answers from JSON lines, CSV, YAML, XLSX, Markdown or HTML into the bot's FAQ."""
    from training.import_faq import convert_faq

    settings = read_settings()
    target = _target(out) or _bot_folder(settings) / "faq" / f"imported-{_stem(path)}.jsonl"
    check_targets([target], replace=replace)
    report = Report()
    known = KnownFaq.of(_other_files(settings.bot_dir / "faq", target))
    known_before = len(known.entries)
    files = _faq_files(path, report)
    entries = convert_faq(files, known, settings.languages, report)
    _warn(settings, known, known_before, report)
    _finish(path, report, len(entries), {target: faq_lines(entries)}, skip_bad=skip_bad, as_json=as_json)


def import_examples(
    path: Source, out: Out = None, replace: Replace = False, skip_bad: SkipBad = False, as_json: AsJson = False
) -> None:
    """Labelled texts from JSON lines, CSV or YAML into the bot's examples."""
    settings = read_settings()
    target = _target(out) or _bot_folder(settings) / "examples" / f"imported-{_stem(path)}.jsonl"
    check_targets([target], replace=replace)
    report = Report()
    known = KnownExamples.of(_other_files(settings.bot_dir / "examples", target))
    before = known.intents
    examples = convert_examples(data_files([path]), known, settings.languages, report)
    _remark_new_intents(report, known.intents - before)
    _finish(path, report, len(examples), {target: example_lines(examples)}, skip_bad=skip_bad, as_json=as_json)


def import_transcripts(
    path: Source, out: Out = None, replace: Replace = False, skip_bad: SkipBad = False, as_json: AsJson = False
) -> None:
    """Past conversations into unlabelled texts and FAQ candidates, personal data masked."""
    from training.import_transcripts import candidate_lines, customer_texts, propose_faq, read_turns

    settings = read_settings()
    folder, stem = settings.data_dir / "transcripts", _stem(path)
    target = _target(out) or folder / f"imported-{stem}.jsonl"
    proposals = target.with_name(f"faq-candidates-{out.stem if out else stem}.jsonl")
    check_targets([target, proposals], replace=replace)
    report = Report()
    turns = read_turns(data_files([path]), report)
    texts = customer_texts(turns, settings.languages, report)
    candidates = propose_faq(turns, settings.languages)
    contents = {target: example_lines(texts)}
    if candidates:
        contents[proposals] = candidate_lines(candidates)
        report.remarks.append(
            f"{len(candidates)} FAQ candidates, the most frequent asked in {candidates[0].asked} conversations; "
            f"review {proposals}, then `frontdesk import faq` it"
        )
    _finish(path, report, len(texts), contents, skip_bad=skip_bad, as_json=as_json)


def import_rasa(
    path: Project,
    out: OutFolder = None,
    replace: Replace = False,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """A Rasa 3 project: intents into examples, retrieval intents into FAQ, responses into templates to review."""
    from training.import_rasa import convert_project, templates_snippet

    settings = read_settings()
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder. Check the path.")
    folder, name = out or _bot_folder(settings), f"imported-{_stem(path)}.jsonl"
    examples, faq, templates = folder / "examples" / name, folder / "faq" / name, folder / "imported-templates.yaml"
    report = Report()
    known_examples = KnownExamples.of(_other_files(settings.bot_dir / "examples", examples))
    known_faq = KnownFaq.of(_other_files(settings.bot_dir / "faq", faq))
    before, faq_before = known_examples.intents, len(known_faq.entries)
    project = read_project(path, report)
    material = convert_project(project, known_examples, known_faq, settings.languages, report)
    _remark_new_intents(report, known_examples.intents - before)
    _warn(settings, known_faq, faq_before, report)
    contents = {
        target: content
        for target, content, some in (
            (examples, example_lines(material.examples), material.examples),
            (faq, faq_lines(material.faq), material.faq),
            (templates, templates_snippet(material.templates), material.templates),
        )
        if some
    }
    check_targets(contents, replace=replace)
    _finish(path, report, material.count, contents, skip_bad=skip_bad, as_json=as_json)


def _finish(
    path: Path, report: Report, count: int, contents: Mapping[Path, bytes], *, skip_bad: bool, as_json: bool
) -> None:
    """Writes everything or nothing, prints the report, and ends with code 2 where nothing was written."""
    broken = report.broken
    refused = bool(report.unread) or (bool(broken) and not skip_bad)
    written = [] if refused or not count else list(contents)
    if written:
        write_together(contents)
    _print(report, count if written else 0, written, as_json=as_json)
    if not count:
        reason = f": {report.refused[0]}" if report.refused else "; it holds nothing of this kind"
        fail(f"{path}: nothing could be taken{reason}")
    if report.unread:
        fail(f"{path}: nothing was written, as --skip-bad cannot skip what could not be read: {report.unread[0]}")
    if refused:
        fail(
            f"{path}: nothing was written, as {len(broken)} mistakes were found, the first: {broken[0]}. "
            f"Correct them, or give --skip-bad to take the other {count}."
        )


def _print(report: Report, taken: int, written: list[Path], *, as_json: bool) -> None:
    if as_json:
        print_json(report.document(taken, written))
        return
    for note in report.changed:
        print_line(f"changed  {note}")
    for note in report.refused:
        print_line(f"{'refused ' if note.broken else 'left out'} {note}")
    for note in report.warned:
        print_line(f"warning  {note}")
    for place in written:
        print_line(f"written  {place}")
    summary = f"{taken} taken, {len(report.changed)} changes, {len(report.refused)} refused or left out"
    print_line(f"{summary}, {len(report.warned)} warnings" if report.warned else summary)
    for remark in report.remarks if written else ():
        say(f"{remark}.")


def _faq_files(path: Path, report: Report) -> list[Path]:
    """The files to import; what else a folder holds is named in the report."""
    from training.import_sources import FAQ_ENDINGS

    files = data_files([path], FAQ_ENDINGS)
    if path.is_dir():
        # Excel keeps a file of this name beside every workbook that is open.
        files = [file for file in files if file.is_file() and not file.name.startswith(("~$", "."))]
        for other in sorted(set(path.iterdir()) - set(files)):
            if not other.name.startswith(("~$", ".")):
                reason = "folders within the folder are not read" if other.is_dir() else "no format that is imported"
                report.leave_out(other, None, "", reason)
    return files


def _warn(settings: Settings, known: KnownFaq, since: int, report: Report) -> None:
    """Points out new entries that repeat, contradict or would overwrite others, those that answer now included."""
    from training.import_warnings import warn_of_alike, warn_of_overwritten

    if len(known.entries) == since:
        return
    try:
        live = live_entries(settings)
    except (FrontdeskError, FaqError) as error:
        live = []
        report.remarks.append(f"New entries were not compared with those that answer now ({error})")
    warn_of_overwritten(known, since, report, live)
    warn_of_alike(known, since, report, _embedder(settings, len(known.entries) + len(live)), live)


def _embedder(settings: Settings, count: int) -> Embed | None:
    """Sentence vectors by the release in force, where there is one and it is worth the time."""
    from bot.bootstrap import release_store
    from nlu.runtime import load_understander
    from training.import_warnings import MOST_EMBEDDED

    if not 1 < count <= MOST_EMBEDDED:
        return None
    store = release_store(settings)
    try:
        return load_understander(store.path(store.open_current().name)).embed
    except ReleaseError:
        return None


def _remark_new_intents(report: Report, intents: frozenset[str]) -> None:
    if intents:
        report.remarks.append(f"Intents that no example of the bot had before: {', '.join(sorted(intents))}")


def _bot_folder(settings: Settings) -> Path:
    if not settings.bot_dir.is_dir():
        raise InputError(f"FRONTDESK_BOT_DIR: {settings.bot_dir} is no folder. Set it to the bot's own folder.")
    return settings.bot_dir


def _target(out: Path | None) -> Path | None:
    if out is not None and out.suffix.lower() != ".jsonl":
        raise InputError(f"--out {out}: expected a file name that ends with .jsonl.")
    return out


def _stem(path: Path) -> str:
    whole = path.resolve()
    return whole.name if whole.is_dir() else whole.stem


def _other_files(folder: Path, target: Path) -> list[Path]:
    """The data files of a folder but for the one that is about to be written."""
    try:
        files = data_files([folder])
    except InputError:
        return []
    return [file for file in files if file.resolve() != target.resolve()]
