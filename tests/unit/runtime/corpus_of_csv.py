# ruff: noqa: E501  (a table reads better with one case a line)
"""CSV files with edges, and how they are read; Apache Spark has answered each.

`ask_spark_csv.py` reads the same files with Apache Spark and freezes schema and rows in `spark_csv.json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Csv:
    """One read.

    Attributes:
        name: What it shows.
        text: The file.
        options: Of `spark.read`.
        schema: DDL, or empty to take the columns from the file.
        refused: What is in our error, where we refuse what Spark reads in a way that nobody means.
    """

    name: str
    text: str
    options: dict[str, str] = field(default_factory=dict)
    schema: str = ""
    refused: str = ""


HEAD = {"header": "true"}
INFER = {"header": "true", "inferSchema": "true"}
MULTI = {"header": "true", "multiLine": "true"}

CASES = [
    Csv("no header", "a,b\n1,2\n"),
    Csv("header", "a,b\n1,2\n", HEAD),
    Csv("header only", "a,b\n", HEAD),
    Csv("no line end", "a,b\n1,2", HEAD),
    Csv("carriage returns", "a,b\r\n1,2\r\n3,4\r\n", HEAD),
    Csv("old Mac line ends", "a,b\r1,2\r", HEAD),
    Csv("blank lines", "a,b\n\n1,2\n   \n3,4\n", HEAD),
    Csv("byte order mark", "\ufeffa,b\n1,2\n", HEAD),
    Csv("short rows", "a,b,c\n1\n1,2\n,,\n", HEAD),
    Csv("long rows", "a,b\n1,2,3\n", HEAD),
    Csv("short and long rows with a schema", "1\n1,2,3\n", {}, "a INT, b INT"),
    Csv("header without a name", "a,,c\n1,2,3\n", HEAD),
    Csv("header with blanks", " a , b \n 1 , 2 \n", HEAD),
    Csv(
        "trimmed",
        " a , b \n 1 , 2 \n",
        {**HEAD, "ignoreLeadingWhiteSpace": "true", "ignoreTrailingWhiteSpace": "true"},
    ),
    Csv("quoted comma", 'a,b\n"1,5",2\n', HEAD),
    Csv(
        "quoted blank",
        'a,b\n" x ",2\n',
        {**HEAD, "ignoreLeadingWhiteSpace": "true", "ignoreTrailingWhiteSpace": "true"},
    ),
    Csv("empty and quoted empty", 'a,b\n,""\n"",x\n', HEAD),
    Csv("escaped quote", 'a,b\n"say \\"hi\\"",2\n', HEAD),
    Csv("doubled quotes with their escape", 'a,b\n"say ""hi""",2\n', {**HEAD, "escape": '"'}),
    Csv("escape before another letter", 'a,b\n"c:\\new",2\nc:\\new,3\n', HEAD),
    Csv("escaped escape", 'a,b\n"x\\\\",2\n', HEAD),
    Csv("quote within a cell", 'a,b\n5" pipe,2\n', HEAD),
    Csv("single quotes", "a,b\n'1,5',2\n", {**HEAD, "quote": "'"}),
    Csv("no quotes at all", 'a,b\n"1,5"\n', {**HEAD, "quote": ""}),
    Csv("semicolons", "a;b\n1,5;2\n", {**HEAD, "sep": ";"}),
    Csv("tabs", "a\tb\n1\t2\n", {**HEAD, "delimiter": "\\t"}),
    Csv("bars", "a|b\n1|2\n", {**HEAD, "delimiter": "|"}),
    Csv("two characters between cells", "a||b\n1||2\n", {**HEAD, "sep": "||"}),
    Csv("comments", "#x\na,b\n#y,z\n1,#2\n", {**HEAD, "comment": "#"}),
    Csv("null value", "a,b\nNA,1\n,2\n", {**HEAD, "nullValue": "NA"}),
    Csv("null value quoted", 'a,b\n"NA",1\n', {**HEAD, "nullValue": "NA"}),
    Csv("empty value", 'a,b\n"",1\n', {**HEAD, "emptyValue": "-"}),
    Csv("null value of numbers", "a,b\n-,1\n5,2\n", {**INFER, "nullValue": "-"}),
    Csv("lines within cells", 'a,b\n"one\ntwo",2\n', MULTI),
    Csv("lines within cells, not multiLine", 'a,b\n"one\ntwo",2\n', HEAD),
    Csv("lines within cells with carriage returns", 'a,b\r\n"one\r\ntwo",2\r\n', MULTI),
    Csv("blank lines, multiLine", "a,b\n\n1,2\n\n", MULTI),
    Csv("whole numbers", "a,b,c\n1,3000000000,99999999999999999999\n-2,1,1\n", INFER),
    Csv("numbers with signs and zeros", "a,b\n+1,007\n-0,1\n", INFER),
    Csv("doubles", "a,b,c\n1.5,1e3,.5\n2,2.,-1E-2\n", INFER),
    Csv("special doubles", "a,b,c\nNaN,Inf,-Infinity\n1,2,3\n", INFER),
    Csv("numbers with letters", "a,b\n1d,2f\n3,4\n", INFER),
    Csv("numbers with commas", 'a,b\n"1,000",1\n', INFER),
    Csv("booleans", "a,b\ntrue,FALSE\nFalse,yes\n", INFER),
    Csv("dates", "a,b\n2024-01-31,2024-1-5\n2023-02-28,2024-01-06\n", INFER),
    Csv("dates that are none", "a\n2024-02-30\n2024-01-01\n", INFER),
    Csv(
        "timestamps",
        "a,b,c\n2024-01-31T10:00:00Z,2024-01-31 10:00:00.123456,2024-01-31 10:00\n2024-01-31T10:00:00+02:00,2024-01-31 10:00:00,2024-01-31 11:00\n",
        INFER,
    ),
    Csv("dates and timestamps in one column", "a\n2024-01-31\n2024-01-31 10:00:00\n", INFER),
    Csv("numbers and dates in one column", "a\n2024-01-31\n5\n", INFER),
    Csv("years alone", "a\n2024\n2023\n", INFER),
    Csv("mixed numbers", "a,b,c\n1,1,3000000000\n2.5,x,1.5\n", INFER),
    Csv("empty column", "a,b\n,1\n,2\n", INFER),
    Csv("blanks around numbers", "a,b\n 1, 2.5 \n", INFER),
    Csv("percent and money", "a,b\n5%,$3\n", INFER),
    Csv(
        "types given",
        "1,2.5,x,true,2024-01-31,2024-01-31 10:00:00,1.005\n",
        {},
        "a INT, b DOUBLE, c STRING, d BOOLEAN, e DATE, f TIMESTAMP, g DECIMAL(5,2)",
    ),
    Csv(
        "types that do not fit",
        "x,y,3,maybe,31/01/2024,noon,abc\n",
        {},
        "a INT, b DOUBLE, c STRING, d BOOLEAN, e DATE, f TIMESTAMP, g DECIMAL(5,2)",
    ),
    Csv(
        "numbers too big",
        "3000000000,200,40000,123456.7\n",
        {},
        "a INT, b TINYINT, c SMALLINT, d DECIMAL(5,2)",
    ),
    Csv("fractions for whole numbers", "1.0,2.5\n", {}, "a INT, b BIGINT"),
    Csv("blanks for types", " 1, 2.5, true, 2024-01-31\n", {}, "a INT, b DOUBLE, c BOOLEAN, d DATE"),
    Csv("floats", "1.1,1e40\n", {}, "a FLOAT, b FLOAT"),
    Csv(
        "a short date for a timestamp",
        "2024-01-31,2024-01,2024\n",
        {},
        "a TIMESTAMP, b TIMESTAMP, c TIMESTAMP",
    ),
    Csv(
        "a timestamp for a date",
        "2024-01-31 10:00:00,2024-01-31T10:00:00Z,2024-1-5\n",
        {},
        "a DATE, b DATE, c DATE",
    ),
    Csv(
        "local timestamps",
        "2024-01-31 10:00:00,2024-01-31T10:00:00Z\n",
        {},
        "a TIMESTAMP_NTZ, b TIMESTAMP_NTZ",
    ),
    Csv("a schema beside a header", "x,y\n1,2\n", HEAD, "a INT, b INT"),
    Csv("a schema of other order beside a header", "b,a\n1,2\n", HEAD, "a INT, b INT"),
    Csv("date format", "31/01/2024,1\n2024-01-31,2\n", {"dateFormat": "dd/MM/yyyy"}, "a DATE, b INT"),
    Csv(
        "date format of single letters",
        "5/1/2024\n31/12/2024\n32/1/2024\n",
        {"dateFormat": "d/M/yyyy"},
        "a DATE",
    ),
    Csv(
        "date format with names",
        "05-Jan-2024\n05-jan-2024\n5-Jan-2024\n",
        {"dateFormat": "dd-MMM-yyyy"},
        "a DATE",
    ),
    Csv("date format without separators", "20240131\n2024-01-31\n", {"dateFormat": "yyyyMMdd"}, "a DATE"),
    Csv("date format of two-digit years", "31.01.24\n31.01.99\n", {"dateFormat": "dd.MM.yy"}, "a DATE"),
    Csv("date format, inferred", "a,b\n31/01/2024,1\n01/02/2024,2\n", {**INFER, "dateFormat": "dd/MM/yyyy"}),
    Csv(
        "date format, inferred beside other dates",
        "a\n2024-01-31\n2024-02-01\n",
        {**INFER, "dateFormat": "dd/MM/yyyy"},
    ),
    Csv(
        "timestamp format",
        "31/01/2024 10:05:06\n31/01/2024 24:00:00\nx\n",
        {"timestampFormat": "dd/MM/yyyy HH:mm:ss"},
        "a TIMESTAMP",
    ),
    Csv(
        "timestamp format with noon",
        "1/31/2024 1:05 PM\n1/31/2024 12:05 AM\n",
        {"timestampFormat": "M/d/yyyy h:mm a"},
        "a TIMESTAMP",
    ),
    Csv(
        "timestamp format with a zone",
        "2024-01-31T10:00:00+0200\n2024-01-31T10:00:00Z\n",
        {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ssZ"},
        "a TIMESTAMP",
    ),
    Csv(
        "timestamp format with fractions",
        "2024-01-31 10:00:00.123\n2024-01-31 10:00:00.12\n",
        {"timestampFormat": "yyyy-MM-dd HH:mm:ss.SSS"},
        "a TIMESTAMP",
    ),
    Csv("timestamp format without a time", "31/01/2024\n", {"timestampFormat": "dd/MM/yyyy"}, "a TIMESTAMP"),
    Csv(
        "timestamp format, inferred",
        "a,b\n31/01/2024 10:05,1\n01/02/2024 11:05,2\n",
        {**INFER, "timestampFormat": "dd/MM/yyyy HH:mm"},
    ),
    Csv(
        "timestamp format of local times",
        "31/01/2024 10:05\n",
        {"timestampFormat": "dd/MM/yyyy HH:mm", "timestampNTZFormat": "dd/MM/yyyy HH:mm"},
        "a TIMESTAMP_NTZ",
    ),
    Csv(
        "timestamp format as Spark writes it",
        "2024-01-31T10:00:00.000Z\n",
        {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]"},
        "a TIMESTAMP",
    ),
    Csv(
        "PERMISSIVE with a corrupt record",
        "1,2\nx,3\n4,5,6\n7\n",
        {"mode": "PERMISSIVE"},
        "a INT, b INT, _corrupt_record STRING",
    ),
    Csv(
        "a corrupt record of another name",
        "1,2\nx,3\n",
        {"columnNameOfCorruptRecord": "bad"},
        "a INT, b INT, bad STRING",
    ),
    Csv("DROPMALFORMED", "1,2\nx,3\n4,5,6\n7\n", {"mode": "DROPMALFORMED"}, "a INT, b INT"),
    Csv("DROPMALFORMED, inferred", "a,b\n1,2\n4,5,6\n7\n", {**INFER, "mode": "DROPMALFORMED"}),
    Csv("FAILFAST that fits", "1,2\n3,4\n", {"mode": "FAILFAST"}, "a INT, b INT"),
    Csv("FAILFAST that does not", "1,2\nx,4\n", {"mode": "FAILFAST"}, "a INT, b INT"),
    Csv("FAILFAST with a short row", "1,2\n3\n", {"mode": "failfast"}, "a INT, b INT"),
    Csv("lines of another end", "a,b;1,2;3,4;", {**HEAD, "lineSep": ";"}),
    Csv("an unescaped quote", 'a,b\n"say "hi"",2\n', HEAD),
    Csv("doubled quotes", 'a,b\n"say ""hi""",2\n"6"" pipe",3\n"x",4\n', HEAD),
    Csv("doubled quotes and a comma", 'a,b\n"say ""hi"", you",2\n', HEAD),
    Csv("doubled quotes at the beginning", 'a,b\n"""quoted""",1\n"""quoted"", and",1\n', HEAD),
    Csv("doubled quotes over lines", 'a,b\n"a""b\nc",1\n2,3\n', MULTI),
    Csv("a word behind a quoted cell", 'a,b,c\n"x" y,2,3\n"x "y" z", "w",3\n', HEAD),
    Csv("blanks around quoted cells", 'a,b\n"x"  ,1\n  "y",2\n', HEAD),
    Csv("a quote that is not closed", 'a,b\n"open,2\n3,4\n', HEAD),
    Csv("a quote that is not closed, multiLine", 'a,b\n"open,2\n3,4\n', MULTI),
    Csv("two columns of one name", "a,A,b\n1,2,3\n", HEAD),
    Csv(
        "dates beside a timestamp format",
        "a,b\n2024-01-31 10:00,1\n2024-01-31,2\n",
        {**INFER, "timestampFormat": "yyyy-MM-dd HH:mm"},
    ),
    Csv("more cells than the schema has", "1,2,3\n4,5,6\n", {}, "a INT"),
    Csv("date format of months", "2024-06\n", {"dateFormat": "yyyy-MM"}, "a DATE"),
    Csv("date format of two digits for one", "1/2/2024\n", {"dateFormat": "MM/dd/yyyy"}, "a DATE"),
    Csv(
        "date format with a day of the week",
        "a\nMon 01 Jan 2024\n",
        {**HEAD, "dateFormat": "EEE dd MMM yyyy"},
        "a DATE",
    ),
    Csv(
        "timestamp format of single letters",
        "5/1/2024 9:05\n",
        {"timestampFormat": "d/M/yyyy H:mm"},
        "a TIMESTAMP",
    ),
    Csv("another encoding", "a,b\n1,\u00e9\n", {**HEAD, "encoding": "ISO-8859-1"}),
    Csv("null and nan values", "a,b\nnull,nan\n1,2.0\n", {**INFER, "nanValue": "nan"}),
    Csv("a negative infinity", "a\n-oo\n1.0\n", {"negativeInf": "-oo", "header": "true"}, "a DOUBLE"),
    Csv("control characters", "a\x01b\n1\x012\n", {**HEAD, "sep": "\x01"}),
    Csv("unicode between cells", "a\u00a7b\n1\u00a72\n", {**HEAD, "sep": "\u00a7"}),
    Csv("unicode in cells", "a,b\nÜber,\U0001f600\n", HEAD),
]


def shown(value: Any) -> Any:
    """A value as text that tells types apart."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, datetime):
        moment = value.astimezone(timezone.utc) if value.tzinfo else value
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, Decimal, float, int)):
        return str(value)
    return repr(value)
