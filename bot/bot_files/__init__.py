"""The operator's bot folder: `bot.yaml`, `templates.yaml` and `forms.yaml`, read and checked whole."""

from bot.bot_files.load import BotFiles, load_bot_files

__all__ = ["BotFiles", "load_bot_files"]
