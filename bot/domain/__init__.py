"""Frozen domain types and ports; no input or output happens here."""
