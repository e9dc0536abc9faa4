"""`frontdesk agents`: who may use the console."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock
from bot.cli.output import say
from bot.console.auth import hash_password
from bot.errors import InputError
from bot.settings import read_settings

Name = Annotated[str, typer.Argument(help="Login name.")]


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    group = typer.Typer(help="Manage who may use the console.", no_args_is_help=True)
    group.command("add")(add)
    group.command("password")(password)
    app.add_typer(group, name="agents")


def add(
    name: Name,
    admin: Annotated[
        bool, typer.Option("--admin", help="May also edit the knowledge base, and see the audit trail.")
    ] = False,
) -> None:
    """Add an agent; the password is asked for, or read from standard input where that is no terminal."""
    log = open_log(read_settings().database, SystemClock())
    try:
        log.add_agent(name, hash_password(_ask_password()), "admin" if admin else "agent")
        log.audit("command", "agent added", name)
    finally:
        log.close()
    say(f"{name} can log in at /console.")


def password(name: Name) -> None:
    """Change an agent's password; open sessions end."""
    log = open_log(read_settings().database, SystemClock())
    try:
        if log.agent_by_name(name) is None:
            raise InputError(f"There is no agent {name!r}. Add one with `frontdesk agents add {name}`.")
        log.set_agent_password(name, hash_password(_ask_password()))
        log.audit("command", "password changed", name)
    finally:
        log.close()
    say("The password is changed.")


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
