"""Prices, days and moments out of the text that came, by expressions that every engine answers alike.

A typed column of a JSON reader would take the decision away: Spark reads the text `"12,50"` into a DECIMAL as 1250, a
number into a TIMESTAMP as seconds, `"20260301"` into a DATE as a day in the year 57440. So these fields are read as
text, and what a text means is decided here: what is written plainly is taken, everything else is NULL, for a rule to
name. A grammar is checked before each cast, because engines differ on what else they take.

No expression can raise an error, whatever the text is.
"""

from __future__ import annotations

from dlt_ingest.quality.sql_literals import sql_text

UTC = "UTC"

# Longer than any price or moment that is meant; keeps a text of megabytes away from the casts.
_LONGEST_TEXT = 80

# Digits of 0 to 9 only: Spark would take those of every script. No comma: it is a decimal point to one half of the
# world. `$` lets a line end pass in some engines, hence the second test.
_PLAIN_NUMBER = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)$"
# As programs write it: a mantissa that a binary float holds exactly, and an exponent of one digit.
_SCIENTIFIC_NUMBER = "^[+-]?[0-9]{1,6}([.][0-9]{0,9})?[eE][+-]?0*[0-9]$"
_NOT_OF_A_NUMBER = "[^0-9.eE+-]"

# Spark trims these of a text before it casts it.
_WHITE = " \t\r\n"
# The year 0, and moments that a zone may move out of the years 1 to 9999, which most clients cannot show.
_NO_YEAR = "^0000"
_EDGE_OF_TIME = "^(0001|9999)-"

_DAY = "[0-9]{4}(-[0-9]{1,2}){0,2}"
_DAY_WITH_TIME = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T]([0-9].*)?"
_TIME = "[0-9]{1,2}(:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]*)?)?)?"
_LOCAL_TIME = f"[0-9]{{4}}(-[0-9]{{1,2}}(-[0-9]{{1,2}}([ T]{_TIME})?)?)?"
_OFFSET = "[+-]([0-9]{1,2}|[0-9]{1,2}:[0-9]{1,2}|[0-9]{4})"
_ZONE = f"(Z|{_OFFSET}|(UTC|UT|GMT)({_OFFSET})?|[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+){{1,2}}|[A-Z]{{3}})"
_ZONED_TIME = (
    f"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}[ T][0-9]{{1,2}}:[0-9]{{1,2}}:[0-9]{{1,2}}([.][0-9]*)? *{_ZONE}"
)

# Five digits and more are not a year: seconds or milliseconds since 1970, or 20260301.
_NUMBER = (
    "^[+-]?[0-9]{5,}([.][0-9]*)?$|^[+-][0-9]+([.][0-9]*)?$|^[0-9]{1,3}([.][0-9]*)?$|^[0-9.]+[eE][+-]?[0-9]+$"
)


def price_sql(text: str) -> str:
    """Return the SQL expression of a price, DECIMAL(38,10), out of a text; NULL if it is not a plain number.

    Digits beyond ten decimals are rounded half up: programs write 19.99 as 19.990000000000002.
    """
    usable = f"LENGTH({text}) <= {_LONGEST_TEXT} AND NOT {text} RLIKE '{_NOT_OF_A_NUMBER}'"
    return (
        f"CASE WHEN {usable} AND {text} RLIKE '{_PLAIN_NUMBER}' THEN TRY_CAST({text} AS DECIMAL(38,10)) "
        f"WHEN {usable} AND {text} RLIKE '{_SCIENTIFIC_NUMBER}' "
        f"THEN TRY_CAST(TRY_CAST({text} AS DOUBLE) AS DECIMAL(38,10)) END"
    )


def day_sql(text: str) -> str:
    """Return the SQL expression of a DATE out of a text; NULL if it is none.

    `2026-03` is the first of March; of a day with a time the day counts as it is written, whatever zone follows.
    """
    trimmed = _trimmed_sql(text)
    return (
        f"CASE WHEN {trimmed} RLIKE '^({_DAY}|{_DAY_WITH_TIME})$' AND NOT {trimmed} RLIKE '{_NO_YEAR}' "
        f"THEN TRY_CAST(REGEXP_EXTRACT({trimmed}, '^({_DAY})', 1) AS DATE) END"
    )


def moment_sql(text: str, time_zone: str = UTC) -> str:
    """Return the SQL expression of a TIMESTAMP out of a text; NULL if it is none.

    The session's time zone has to be UTC, as a pipeline's is.

    Args:
        text: SQL expression of the text.
        time_zone: Region in which a moment without a zone is meant.
    """
    trimmed = _trimmed_sql(text)
    usable = f"LENGTH({text}) <= {_LONGEST_TEXT} AND NOT {trimmed} RLIKE '{_NO_YEAR}'"
    not_moved_away = f"(NOT {trimmed} RLIKE '{_EDGE_OF_TIME}' OR {trimmed} RLIKE '(Z|UTC|GMT)$')"
    moment = f"TRY_CAST({trimmed} AS TIMESTAMP)"
    is_local = f"{usable} AND {trimmed} RLIKE '^{_LOCAL_TIME}$'"
    local = moment
    if time_zone != UTC:
        is_local += f" AND {not_moved_away}"
        local = f"TO_UTC_TIMESTAMP({moment}, {sql_text(time_zone)})"
    return (
        f"CASE WHEN {is_local} THEN {local} "
        f"WHEN {usable} AND {trimmed} RLIKE '^{_ZONED_TIME}$' AND {not_moved_away} THEN {moment} END"
    )


def is_number_sql(text: str) -> str:
    """Return the SQL condition that a text which should be a day or a moment is a number instead."""
    return f"{_trimmed_sql(text)} RLIKE '{_NUMBER}'"


def _trimmed_sql(text: str) -> str:
    return f"TRIM(BOTH {sql_text(_WHITE)} FROM {text})"


def text_column(field: str) -> str:
    """Return the column of Bronze that keeps the text of a field as it arrived."""
    return f"{field}_text"
