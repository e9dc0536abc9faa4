"""Channels turn their own updates into messages and deliver replies."""

import os

# python-telegram-bot deprecates whole seconds as `int`; this is its documented switch to `timedelta`.
os.environ.setdefault("PTB_TIMEDELTA", "1")
