"""`frontdesk releases`: list, show, promote, roll back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.bootstrap import release_store
from bot.cli.learn import AsJson
from bot.cli.output import print_json, print_line, say
from bot.errors import ReleaseError
from bot.settings import read_settings
from nlu.manifest import MANIFEST_FILE, read_manifest

Name = Annotated[str, typer.Argument(help="The release's name.")]


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    group = typer.Typer(help="Manage releases.", no_args_is_help=True)
    group.command("list")(list_releases)
    group.command("show")(show)
    group.command("promote")(promote)
    group.command("rollback")(rollback)
    app.add_typer(group, name="releases")


def list_releases(as_json: AsJson = False) -> None:
    """List all releases, the newest last; the current one is marked."""
    store = release_store(read_settings())
    current = store.current()
    names = store.names()
    if as_json:
        print_json({"current": current, "releases": names})
        return
    if not names:
        say("There is no release yet; `make run` trains the first one.")
    for name in names:
        print_line(f"{'*' if name == current else ' '} {name}")


def show(name: Name, as_json: AsJson = False) -> None:
    """Show a release's card, or its manifest with --json."""
    folder = release_store(read_settings()).path(name)
    if as_json:
        print_json(read_manifest(folder).to_json())
        return
    try:
        card = (folder / "card.md").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(
            f"{folder / 'card.md'}: cannot be read ({error}). Look at the manifest with --json."
        ) from error
    print_line(card)


def promote(
    name: Annotated[str, typer.Argument(help="The release's name, or a folder that `frontdesk train` wrote.")],
) -> None:
    """Make a release the current one; running servers swap to it. A folder is copied into the store first."""
    store = release_store(read_settings())
    if (Path(name) / MANIFEST_FILE).is_file():
        name = store.adopt(Path(name))
    else:
        store.promote(name)
    say(f"{name} is the current release.")


def rollback() -> None:
    """Go back to the release before the current one."""
    say(f"{release_store(read_settings()).rollback()} is the current release again.")
