"""`frontdesk retrain`: the log's corrections become a better release, once or on a schedule."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import filelock
import typer

from bot.adapters.sql_log import SqlLog, open_log
from bot.bootstrap import SystemClock, release_store
from bot.bot_files import load_bot_files
from bot.cli.knowledge import edited_entries
from bot.cli.learn import AsJson, set_languages
from bot.cli.output import data_files, print_json, print_line, training_progress
from bot.cli.retrain_schedule import follow_schedule
from bot.dialogue.button_values import short_value
from bot.dialogue.moves import choice_reason
from bot.dialogue.policy import AGREED_TO_SEVERAL
from bot.domain.messages import DESCRIBED
from bot.domain.records import LoggedUtterance
from bot.errors import InputError
from bot.settings import Settings, read_settings
from nlu.examples import read_examples
from retrieval.faq import read_faq, read_queries

if TYPE_CHECKING:
    from training.logged import LoggedTurn
    from training.retrain import RetrainInputs
    from training.retrain_report import RetrainReport

_REFUSED = 1


def add_commands(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(retrain)


def retrain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be used; train nothing.")] = False,
    as_json: AsJson = False,
    if_new: Annotated[
        bool, typer.Option("--if-new", help="Do nothing where the gate has refused the same corrections before.")
    ] = False,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="Stay, and retrain at the times of FRONTDESK_RETRAIN_SCHEDULE (UTC).")
    ] = False,
) -> None:
    """Corrections and confirmed answers -> candidate -> gate -> promote or refuse; ends with 1 where it refuses."""
    settings = read_settings()
    if schedule:
        follow_schedule(settings)
        return
    from training.retrain_report import Status

    told = _preview(settings) if dry_run else _retrain(settings, if_new=if_new)
    if as_json:
        print_json(told.to_json())
    else:
        print_report(told)
    if told.status is Status.REFUSED:
        raise typer.Exit(_REFUSED)


def read_inputs(settings: Settings) -> RetrainInputs:
    """Reads the log and the bot's own files.

    Args:
        settings: the settings in force.

    Returns:
        Everything that retraining works with.
    """
    from training.config import read_config
    from training.retrain import RetrainInputs

    bot = settings.bot_dir
    config, test, queries = bot / "train.yaml", bot / "test.jsonl", bot / "faq_queries.jsonl"
    return RetrainInputs(
        turns=read_turns(settings),
        base=read_examples(*data_files([bot / "examples"])),
        faq=edited_entries(settings, read_faq(*data_files([bot / "faq"])) if (bot / "faq").is_dir() else []),
        test=read_examples(test, keep_duplicates=True) if test.is_file() else (),
        queries=read_queries(queries) if queries.is_file() else (),
        protected=load_bot_files(bot).rules.protected,
        config=read_config(config if config.is_file() else None, languages=set_languages(settings)),
    )


def read_turns(settings: Settings) -> list[LoggedTurn]:
    """Reads the log.

    Args:
        settings: the settings in force.

    Returns:
        Every turn with words of a customer's, the oldest first.
    """
    log = open_log(settings.database, SystemClock())
    try:
        turns: list[LoggedTurn] = []
        asked_back: dict[str, int] = {}
        for utterance in log.logged_utterances():
            place = asked_back.pop(utterance.conversation, None)
            if place is not None:
                turns[place] = replace(turns[place], chosen=chosen_option(turns[place], utterance, log))
            if utterance.kind in DESCRIBED:
                continue
            if utterance.decision == "clarify":
                asked_back[utterance.conversation] = len(turns)
            turns.append(logged_turn(utterance, log))
        return turns
    finally:
        log.close()


def chosen_option(asked: LoggedTurn, answer: LoggedUtterance, log: SqlLog) -> str:
    """What a customer meant by words that were answered by asking back.

    Args:
        asked: the turn that asked back.
        answer: the next turn: a tapped button, or words.
        log: looks up what was offered, and what the words were taken for.

    Returns:
        The option that was tapped or named, or agreed to where it was the only one, if it was offered for these very
        words; empty otherwise, as after "yes" to several options.
    """
    decision = _decision(asked.turn, log)
    if str(decision.get("reason", "")).startswith(AGREED_TO_SEVERAL):
        return ""
    offered: Sequence[str] = decision.get("options", ())
    reason = _decision(answer.turn, log).get("reason")
    for option in offered:
        tapped = answer.kind == "button" and answer.text == short_value(option)
        if tapped or reason == choice_reason(option):
            return option
    return ""


def _decision(turn: int, log: SqlLog) -> Mapping[str, Any]:
    detail = log.turn(turn)
    decision: Mapping[str, Any] = detail.document.get("decision", {}) if detail else {}
    return decision


def logged_turn(utterance: LoggedUtterance, log: SqlLog) -> LoggedTurn:
    """A turn as training knows it.

    Args:
        utterance: the turn.
        log: looks up the decision of a turn that a customer liked.

    Returns:
        The same, without anything of the bot's.
    """
    from training.logged import LoggedTurn

    turn = log.turn(utterance.turn) if utterance.feedback > 0 else None
    return LoggedTurn(
        turn=utterance.turn,
        text=utterance.text,
        lang=utterance.lang,
        intent=utterance.intent,
        emotion=utterance.emotion,
        decision=utterance.decision,
        faq=utterance.faq,
        corrections=utterance.corrections,
        feedback=utterance.feedback,
        kind=utterance.kind,
        by_reading=turn is not None and followed_from_reading(turn.document.get("decision", {}), utterance.intent),
    )


def followed_from_reading(decision: Mapping[str, Any], intent: str) -> bool:
    """Whether an answer followed from the words it answers, not from a form's question or an offer before.

    "Yes" after "did you mean the gift card?" is answered with the gift card's page, yet does not mean gift card.

    Args:
        decision: the turn's decision document.
        intent: the intent that was read in the words.

    Returns:
        True where the decision's reason names the accepted intent or the FAQ entry that was found.
    """
    reason = str(decision.get("reason", ""))
    if faq := decision.get("faq"):
        return reason.startswith(f"FAQ entry {faq} (")
    return decision.get("intent") == intent and reason.startswith(f"intent {intent} (")


def print_report(told: RetrainReport) -> None:
    """Prints a report for people."""
    from training.retrain_report import Status

    headline = {
        Status.PROMOTED: f"{told.candidate} is the current release; running servers swap to it.",
        Status.REFUSED: f"Refused: {told.current} stays the current release.",
        Status.NOTHING_NEW: "Nothing to do.",
        Status.PREVIEW: "This would be used; nothing was trained.",
    }
    print_line(headline[told.status])
    for reason in told.reasons:
        print_line(f"- {reason}")
    for sentence in told.unguarded:
        print_line(f"warning: {sentence}")
    print_line(f"used: {_counts(told.gathered.taken)}")
    print_line(f"left out: {_counts(told.gathered.dropped)}")
    for example in told.gathered.examples:
        labels = ", ".join(f"{head} {label}" for head, label in example.labels.items())
        print_line(f'  {example.source}: "{example.text}" is {labels}')
    for claim in told.gathered.variants:
        print_line(f'  {claim.source.value}: "{claim.text}" is answered by FAQ entry {claim.label}')
    for clash in told.gathered.contradictions:
        claim = clash.claim
        print_line(
            f'contradiction (turn {claim.turn}): "{claim.text}" is {claim.label}; {clash.against} says '
            f"{', '.join(clash.other)}"
        )
    for suspicion in told.suspicious:
        claim = suspicion.claim
        print_line(f'hard to believe (turn {claim.turn}): "{claim.text}" is {claim.label}; {suspicion.because}')


def _preview(settings: Settings) -> RetrainReport:
    from training.retrain import preview

    return preview(read_inputs(settings))


def _retrain(settings: Settings, *, if_new: bool) -> RetrainReport:
    from training.retrain import preview, refused_before
    from training.retrain import retrain as run

    store = release_store(settings)
    with _alone(settings.data_dir):
        inputs = read_inputs(settings)
        if if_new and refused_before(inputs, store, settings.data_dir):
            return unchanged(preview(inputs))
        with training_progress("Retraining") as report:
            return run(inputs, store, settings.data_dir, report)


def unchanged(told: RetrainReport) -> RetrainReport:
    """The report where the gate has refused the same corrections before."""
    from dataclasses import replace

    from training.retrain_report import Status

    return replace(told, status=Status.NOTHING_NEW, reasons=("The gate has refused just this before.",))


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Keeps a second retraining of the same data folder out; the lock of a process that died is free."""
    folder = data_dir / "retrain"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except filelock.Timeout:
        raise InputError(f"{folder}: another retraining is running. Wait until it is done.") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}). Free disk space or check rights.") from error
    try:
        yield
    finally:
        lock.release()


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counted.items()) or "nothing"
