"""What counts as blank in a text, and how ids are trimmed of it: one definition for SQL and for Python.

`TRIM` of SQL knows the space alone. By it a tab or a zero-width space would be a customer, and `K1` with a
no-break space behind it would be another customer than `K1`. Here blank is what shows nothing: Unicode's white space,
control characters, and the characters that Unicode calls ignorable by default (Unicode Character Database, White_Space and
Default_Ignorable_Code_Point), with the blank Braille pattern. The ranges are written out instead of named by property:
engines follow different versions of Unicode, and the same id must be the same everywhere.
"""

from __future__ import annotations

import re

# First and last code point of each range.
_BLANK_RANGES: tuple[tuple[int, int], ...] = (
    (0x0000, 0x0020),  # controls, tab and line ends, space
    (0x007F, 0x00A0),  # delete, more controls, no-break space
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x1680, 0x1680),  # Ogham space mark
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and vowel separator
    (0x2000, 0x200F),  # spaces of all widths, zero-width space, joiners and marks
    (0x2028, 0x202F),  # line and paragraph separators, directions, narrow no-break space
    (0x205F, 0x206F),  # mathematical space, word joiner, invisible operators
    (0x2800, 0x2800),  # blank Braille pattern
    (0x3000, 0x3000),  # ideographic space
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # zero-width no-break space, the byte order mark
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFFB),  # interlinear annotation marks
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags and more variation selectors
)

# In a string literal of Spark SQL a backslash is written twice.
_SQL_CLASS = "".join(f"\\\\x{{{first:X}}}-\\\\x{{{last:X}}}" for first, last in _BLANK_RANGES)
_PYTHON_CLASS = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _BLANK_RANGES)
_BLANK_ENDS = re.compile(f"^[{_PYTHON_CLASS}]+|[{_PYTHON_CLASS}]+$")


def has_text_sql(expression: str) -> str:
    """Return the SQL condition that a text shows something; NULL for NULL."""
    return f"{expression} RLIKE '[^{_SQL_CLASS}]'"


def trimmed_sql(expression: str) -> str:
    """Return the SQL expression of a text without what is blank at its two ends; NULL for NULL."""
    return f"REGEXP_REPLACE({expression}, '^[{_SQL_CLASS}]+|[{_SQL_CLASS}]+$', '')"


def trimmed(text: str) -> str:
    """Return the text without what is blank at its two ends, as `trimmed_sql` does."""
    return _BLANK_ENDS.sub("", text)
