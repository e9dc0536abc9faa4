"""`frontdesk faq`: the live knowledge base from the command line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bot.adapters.sql_engine import parse_url
from bot.adapters.sql_log import SqlLog, open_log
from bot.bootstrap import SystemClock, release_store
from bot.bot_files import load_bot_files
from bot.cli.learn import AsJson
from bot.cli.output import data_files, print_json, print_line, say
from bot.dialogue.templates import shorten
from bot.domain.records import FaqDraft, FaqVersion
from bot.errors import InputError
from bot.knowledge.editing import FaqEditor, check_id
from bot.knowledge.live import answering
from bot.settings import Settings, read_settings
from retrieval.faq import read_faq
from retrieval.index import FaqIndex
from retrieval.plain_text import has_markup
from retrieval.types import FaqEntry
from retrieval.wordings import shared_wordings

_AUTHOR = "file"
_SHOWN = 20


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    group = typer.Typer(help="Edit the knowledge base; running servers answer with it within a second.")
    group.command("put")(put)
    group.command("list")(list_entries)
    group.command("disable")(disable)
    app.add_typer(group, name="faq")


def put(
    files: Annotated[list[Path], typer.Argument(help="FAQ files or folders, such as `frontdesk import faq` writes.")],
    valid_from: Annotated[
        str | None,
        typer.Option("--valid-from", help="When they begin to answer, such as 2026-12-01 or 2026-12-01T09:00+01:00."),
    ] = None,
    valid_until: Annotated[str | None, typer.Option("--valid-until", help="When they cease to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add the entries of FAQ files, or replace those that have their ids, all or none; what is the same stays.

    Texts are taken as they stand in the files; `frontdesk import faq` makes plain text of HTML. An entry keeps the
    variants that it has, as files do not know what was learnt from customers; the HTTP API takes variants away.
    """
    begin, end = _moment("--valid-from", valid_from), _moment("--valid-until", valid_until)
    settings = read_settings()
    log, editor = _open(settings)
    try:
        entries = read_faq(*data_files(files), languages=editor.languages)
        before = {version.entry.id: version for version in editor.entries()}
        for entry in entries:
            if entry.id not in before:
                check_id(entry.id)
        drafts = [_checked(editor, editor.with_known_variants(FaqDraft(entry, True, begin, end))) for entry in entries]
        new = [draft for draft in drafts if not _stands(before.get(draft.entry.id), draft)]
        editor.store_all(new, _AUTHOR)
    finally:
        log.close()
    marked = [draft.entry.id for draft in new if has_markup(draft.entry.answer)]
    if marked:
        more = f" and {len(marked) - 1} more" if len(marked) > 1 else ""
        say(
            f"{marked[0]}{more}: customers read the HTML of the answer as it stands; `frontdesk import faq` removes it."
        )
    warnings = _warnings(live_entries(settings), {draft.entry.id for draft in new}) if new else []
    for warning in warnings[:_SHOWN]:
        say(f"{warning}.")
    added = [draft.entry.id for draft in new if draft.entry.id not in before]
    replaced = [draft.entry.id for draft in new if draft.entry.id in before]
    if as_json:
        print_json({"read": len(entries), "added": added, "replaced": replaced, "warnings": warnings})
        return
    print_line(f"{len(entries)} entries read, {len(added)} added, {len(replaced)} replaced.")


def list_entries(as_json: AsJson = False) -> None:
    """List all entries with their versions, those that answer nobody included."""
    log, editor = _open(read_settings())
    try:
        versions, now = editor.entries(), SystemClock().now()
    finally:
        log.close()
    if as_json:
        listed = [
            {**asdict(each.entry), "version": each.version, "enabled": each.enabled, "answers": each.answers_at(now)}
            for each in versions
        ]
        print_json(listed)
        return
    for each in versions:
        print_line(
            f"{'' if each.answers_at(now) else 'silent  '}{each.entry.id}  v{each.version}  {each.entry.question}"
        )


def disable(entry: Annotated[str, typer.Argument(help="The id of the entry.")]) -> None:
    """Have an entry answer nobody; its versions stay."""
    log, editor = _open(read_settings())
    try:
        versions = editor.versions(entry)
        if not versions:
            raise InputError(f"There is no FAQ entry {entry!r}. `frontdesk faq list` shows them.")
        editor.disable(versions[-1], _AUTHOR)
    finally:
        log.close()
    print_line(f"{entry} answers nobody any more.")


def edited_entries(settings: Settings, entries: Sequence[FaqEntry]) -> list[FaqEntry]:
    """Entries with what was edited since.

    Args:
        settings: the settings in force.
        entries: as files or a release have them.

    Returns:
        The entries that answer now.
    """
    log = open_log(settings.database, SystemClock())
    try:
        return answering(entries, log.faq_latest(), SystemClock().now(), log.faq_variants())
    finally:
        log.close()


def live_entries(settings: Settings) -> list[FaqEntry]:
    """The entries that answer now: those of the release in force with what was edited since.

    Args:
        settings: the settings in force.

    Returns:
        The entries, those of the release first; a database that is not there yet is not made.
    """
    released = list(_released(settings))
    url = parse_url(settings.database)
    is_new = url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file()
    return released if is_new else edited_entries(settings, released)


def tell_of_shared(entries: Iterable[FaqEntry], concerned: Collection[str] | None = None) -> list[str]:
    """Says which wordings several entries have, so that customers who use them are asked which they mean.

    Args:
        entries: those that answer.
        concerned: ids of entries of which one has to be among them; None for any.

    Returns:
        A sentence for each such wording.
    """
    shared = {
        wording: [entry.id for entry in having]
        for wording, having in shared_wordings(entries).items()
        if concerned is None or any(entry.id in concerned for entry in having)
    }
    return [
        f'"{shorten(wording)}" is asked in {" and ".join(ids)}: none of them is certain; keep it in one'
        for wording, ids in shared.items()
    ]


def _warnings(entries: Sequence[FaqEntry], put: Collection[str]) -> list[str]:
    """What of the entries that were put now should be looked at beside the others that answer."""
    from training.import_likeness import alike_pairs
    from training.import_warnings import likeness

    old, new = ([each for each in entries if (each.id in put) is is_new] for is_new in (False, True))
    placed = [*old, *new]
    pairs = alike_pairs(placed, since=len(old))
    found = ((placed[pair.first], placed[pair.second], pair.difference) for pair in pairs)
    return [
        *tell_of_shared(entries, put),
        *(f"{second.id}: {likeness(first, first.id, difference)}" for first, second, difference in found),
    ]


def _released(settings: Settings) -> Sequence[FaqEntry]:
    store = release_store(settings)
    name = store.current()
    return FaqIndex.load(store.path(name)).entries if name is not None else ()


def _open(settings: Settings) -> tuple[SqlLog, FaqEditor]:
    released = _released(settings)
    languages = load_bot_files(settings.bot_dir).rules.languages
    log = open_log(settings.database, SystemClock())
    return log, FaqEditor(log, SystemClock(), languages, lambda: released)


def _checked(editor: FaqEditor, draft: FaqDraft) -> FaqDraft:
    try:
        return editor.checked(draft)
    except InputError as error:
        raise InputError(f"{draft.entry.id}: {error}") from error


def _stands(version: FaqVersion | None, draft: FaqDraft) -> bool:
    if version is None:
        return False
    return draft == FaqDraft(version.entry, version.enabled, version.valid_from, version.valid_until)


def _moment(option: str, text: str | None) -> datetime | None:
    """A moment as ISO 8601 writes it; in UTC where it names no time zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option}: expected a date such as 2026-12-01 or 2026-12-01T09:00+01:00, got {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
