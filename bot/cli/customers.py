"""`frontdesk export` and `frontdesk erase`: a person's data, out or gone."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.bootstrap import open_services
from bot.cli.output import print_json, say
from bot.errors import InputError
from bot.settings import read_settings

Customer = Annotated[str, typer.Option("--customer", help="The conversation's id, such as telegram:123 or web:….")]


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(export)
    app.command()(erase)


def export(customer: Customer) -> None:
    """Print everything stored about a customer, as JSON."""
    services = open_services(read_settings())
    try:
        if services.log.conversation(customer) is None:
            raise InputError(
                f"Nothing is stored about {customer!r}. Give the conversation's id as the console shows it."
            )
        print_json(services.log.export_customer(customer))
        services.log.audit("command", "customer exported", customer)
    finally:
        services.close()


def erase(
    customer: Customer,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove everything stored about a customer."""
    if not yes:
        typer.confirm(f"Remove everything stored about {customer}?", abort=True, err=True)
    services = open_services(read_settings())
    try:
        with services.state.lock(customer):
            services.state.forget(customer)
            rows = services.log.erase_customer(customer)
        services.log.audit("command", "customer erased", customer)
    finally:
        services.close()
    if rows == 0:
        raise InputError(f"Nothing is stored about {customer!r}. Give the conversation's id as the console shows it.")
    say(f"{rows} rows removed.")
