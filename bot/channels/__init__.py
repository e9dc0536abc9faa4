"""Channels turn their own updates into messages and deliver replies."""
