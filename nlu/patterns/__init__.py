"""Entities that follow a pattern: e-mail, phone, date, amount of money, order number; in Chinese and English.

Each has a normalised value. `find_patterns` is all that other rooms need.
"""

from nlu.patterns.find import find_patterns, merge_entities

__all__ = ["find_patterns", "merge_entities"]
