"""The command's root: its sub-commands, and how errors reach the person at the terminal."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from bot.cli import ask, console, customers, doctor, importing, knowledge, learn, releases, retrain, serve, stories
from bot.cli.log_lines import set_up_logging
from bot.cli.output import fail
from bot.errors import FaqError, FrontdeskError

app = typer.Typer(
    name="frontdesk",
    help="A self-hosted customer-service bot for Chinese and English.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (serve, ask, stories, learn, retrain, releases, importing, knowledge, console, customers, doctor):
    module.add_commands(app)


def main() -> None:
    """Runs the command; errors that a person can mend end in one clear line and exit code 2."""
    _quieten_libraries()
    set_up_logging()
    try:
        sys.exit(app(standalone_mode=False, prog_name="frontdesk"))
    except typer.TyperException as error:
        _fail_usage(error)
    except (FrontdeskError, FaqError) as error:
        fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\nStopped.\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _fail_usage(error: typer.TyperException) -> NoReturn:
    """Ends the command with one line on what is wrong with the command line; the help that no words ask for is out."""
    message = " ".join(error.format_message().split())
    if not message:
        sys.exit(2)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "frontdesk"
    end = "" if message.endswith((".", "?")) else "."
    fail(f"{message}{end} See `{command} --help`.")


def _quieten_libraries() -> None:
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
