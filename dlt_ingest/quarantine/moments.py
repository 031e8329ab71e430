"""Moments as text: how people, and Spark, write them."""

from __future__ import annotations

import re
from datetime import datetime


def moment_of_text(text: str) -> datetime:
    """Read an ISO 8601 moment; it has a time zone if the text has one.

    Raises:
        ValueError: The text is not a moment.
    """
    # Python 3.10 reads neither Z nor a fraction of other than three or six digits; Spark leaves trailing zeros out.
    written = re.sub(r"\.(\d{1,6})(?!\d)", lambda fraction: f".{fraction[1]:0<6}", text)
    return datetime.fromisoformat(re.sub("Z$", "+00:00", written))
