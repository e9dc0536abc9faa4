"""How patterns tell Latin words and Arabic numerals in texts of any script."""

from __future__ import annotations

import re

from nlu.text import HAN

FLAGS = re.IGNORECASE | re.ASCII
"""Without `re.ASCII` `\\d` takes the digits of every script, and `i` without case takes the Turkish `ı` and `İ` too."""

WORD = rf"(?u:[^\W{HAN}])"
"""A letter or digit of any script but Han, or an underscore."""

START = rf"(?<!{WORD})"
"""Where a word begins: no letter or digit stands before, but Han may, since Chinese has no spaces."""

END = rf"(?!{WORD})"
"""Where a word ends."""
