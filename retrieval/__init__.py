"""Sentence vector to FAQ hits to a composed answer."""
