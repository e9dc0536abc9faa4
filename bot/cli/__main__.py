"""`python -m bot.cli` is the `frontdesk` command."""

from bot.cli.app import main

main()
