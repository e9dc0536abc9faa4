"""Labelled examples and logged dialogues to a new release."""
