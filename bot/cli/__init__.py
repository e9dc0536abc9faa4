"""The `frontdesk` command."""

from __future__ import annotations

import os

# Threads of a training that wait for each other keep their cores busy for milliseconds by default: a bot that answers
# beside it, or a second training, makes it ten times slower. GNU OpenMP reads this when torch or FAISS load it.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def main() -> None:
    """Runs the command."""
    # Imported here, so that `python -m bot.cli.app` does not find its own module loaded already.
    from bot.cli.app import main as run

    run()
