"""The `frontdesk` command."""

from __future__ import annotations


def main() -> None:
    """Runs the command."""
    # Imported here, so that `python -m bot.cli.app` does not find its own module loaded already.
    from bot.cli.app import main as run

    run()
