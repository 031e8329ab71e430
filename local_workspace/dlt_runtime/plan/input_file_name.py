"""`input_file_name()`, an older way to ask for the file of a row: it becomes `_metadata.file_path`.

Both name the same path (Databricks' page "File metadata column", which tells to use `_metadata`). A query that reads no
files has no such column, and the error says so.
"""

from __future__ import annotations

from pyspark.sql.connect.proto import expressions_pb2, relations_pb2

from local_workspace.dlt_runtime.plan.plans import Relation, walk
from local_workspace.sql.edits import edited
from local_workspace.sql.tokens import tokenize

_NAME, _COLUMN = "input_file_name", "_metadata.file_path"


def as_metadata(plan: Relation) -> None:
    """Put the column of the file in place of the function, in expressions and in SQL text."""
    for message in walk(plan):
        if isinstance(message, relations_pb2.Project):
            for expression in message.expressions:
                if _is_call(expression):
                    expression.alias.name.append(f"{_NAME}()")
                    expression.alias.expr.unresolved_attribute.unparsed_identifier = _COLUMN
        elif isinstance(message, expressions_pb2.Expression.ExpressionString):
            message.expression = in_text(message.expression)
        if isinstance(message, expressions_pb2.Expression) and _is_call(message):
            message.unresolved_attribute.unparsed_identifier = _COLUMN


def _is_call(expression: expressions_pb2.Expression) -> bool:
    return (
        expression.WhichOneof("expr_type") == "unresolved_function"
        and expression.unresolved_function.function_name.lower() == _NAME
    )


def in_text(text: str) -> str:
    """Do so in SQL text."""
    if _NAME not in text.lower():
        return text
    tokens = tokenize(text)
    calls = [
        (token.start, tokens[at + 2].end, _COLUMN)
        for at, token in enumerate(tokens[:-2])
        if token.text.lower() == _NAME and tokens[at + 1].text == "(" and tokens[at + 2].text == ")"
    ]
    return edited(text, calls)
