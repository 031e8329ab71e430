"""Which faults pass by themselves, and how long to wait for them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pyarrow as pa
import pytest

from dlt_ingest.metrics.postgres import (
    ExportDeclarationError,
    ExportSettingsError,
    PostgresSettings,
    ServerUnavailableError,
)
from dlt_ingest.metrics.postgres.connection import explained, passes, scrubbed
from dlt_ingest.metrics.postgres.retry import RetryPolicy
from dlt_ingest.metrics.postgres.row_encoding import (
    csv_bytes,
    encoded_ahead,
    payload_json,
    prepared,
    row_texts,
)
from dlt_ingest.metrics.postgres.spool import Spool

SETTINGS = PostgresSettings(host="localhost", database="metrics", user="exporter", password="hunter2secret")
REFUSED = (
    'connection to server at "localhost" ({}), port 5432 failed: Connection refused\n\tIs the server running'
)
WRONG = 'connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  password authentication failed'


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        (REFUSED.format("127.0.0.1"), True),
        (REFUSED.format("::1") + "\n" + REFUSED.format("127.0.0.1"), True),
        (REFUSED.format("::1") + "\n" + WRONG, False),
        (WRONG, False),
        ('connection to server at "h", port 1 failed: FATAL:  the database system is starting up', True),
        ('connection to server at "h", port 1 failed: FATAL:  sorry, too many clients already', True),
        ('connection to server at "h", port 1 failed: timeout expired', True),
        ('could not translate host name "h" to address: Temporary failure in name resolution', True),
        ('could not translate host name "h" to address: Name or service not known', False),
        ('connection to server at "h", port 1 failed: FATAL:  database "x" does not exist', False),
        (
            'connection to server at "h", port 1 failed: FATAL:  no pg_hba.conf entry for host "1.2.3.4"',
            False,
        ),
        ('connection to server at "h", port 1 failed: SSL error: certificate verify failed', False),
        ('connection to server at "h", port 1 failed: SSL SYSCALL error: EOF detected', True),
        ("server closed the connection unexpectedly\n\tThis probably means the server terminated", True),
        ('invalid sslmode value: "x"', False),
        ("a text that nobody has seen before", False),
    ],
)
def test_only_faults_that_pass_by_themselves_are_tried_again(text: str, passing: bool) -> None:
    """Guards the operator's time and the account: a wrong password repeated five times locks the role."""
    error = psycopg2.OperationalError(text)
    assert passes(error) is passing
    assert isinstance(explained(error, SETTINGS), ServerUnavailableError if passing else ExportSettingsError)


def test_the_telling_reason_of_several_addresses_is_shown() -> None:
    """Guards the message for `localhost`, which is tried as ::1 first: refused there, wrong password here."""
    error = psycopg2.OperationalError(REFUSED.format("::1") + "\n" + WRONG)
    assert "password authentication failed" in scrubbed(error, SETTINGS)


def test_a_password_that_a_server_repeats_is_taken_out() -> None:
    """Guards logs against a server, pooler or library that quotes what it was sent."""
    error = psycopg2.OperationalError('FATAL: password "hunter2secret" is wrong')
    for text in (scrubbed(error, SETTINGS), str(explained(error, SETTINGS))):
        assert "hunter2secret" not in text
        assert "***" in text


def test_pauses_double_up_to_a_cap_and_scatter() -> None:
    """Guards the server that comes back: not all exporters at once, and not forever longer."""
    policy = RetryPolicy(attempts=9, base_s=1, cap_s=10)
    assert [policy.pause_s(attempt, 0.5) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert (policy.pause_s(3, 0.0), policy.pause_s(3, 1.0)) == (2, 6)


def test_retrying_ends_with_the_last_error_unchanged() -> None:
    """Guards the count of attempts and that a fault that does not pass is raised at once."""
    slept: list[float] = []
    told: list[int] = []

    def failing(attempt: int) -> int:
        raise ValueError(attempt)

    policy = RetryPolicy(attempts=3, base_s=0.01)
    with pytest.raises(ValueError, match="3"):
        policy.run(
            failing,
            passes=lambda _: True,
            on_retry=lambda number, *_: told.append(number),
            sleep=slept.append,
        )
    assert (told, len(slept)) == ([1, 2], 2)
    with pytest.raises(ValueError, match="1"):
        policy.run(failing, passes=lambda _: False, sleep=slept.append)
    assert len(slept) == 2


def numbers(count: int) -> Iterator[pa.RecordBatch]:
    for number in range(count):
        texts = pa.array([None if number % 2 else str(number)], pa.string())
        yield pa.RecordBatch.from_pydict({"n": [number], "text": texts})


def test_a_spool_gives_everything_again_and_asks_the_source_once() -> None:
    """Guards the retry: rows already pulled come from the disk, the rest from where the source stands."""
    pulled: list[int] = []

    def source() -> Iterator[pa.RecordBatch]:
        for part in numbers(5):
            pulled.append(part.column(0)[0].as_py())
            yield part

    with Spool(source(), keep=True) as spool:
        first = iter(spool)
        assert [next(first)["n"][0].as_py() for _ in range(3)] == [0, 1, 2]
        again = [part.to_pylist()[0] for part in spool]
    assert again == [part.to_pylist()[0] for part in numbers(5)]
    assert pulled == [0, 1, 2, 3, 4]


def test_batches_are_cut_and_encoded_ahead_in_order() -> None:
    """Guards the order and completeness of what goes to COPY, an empty batch included."""
    whole = pa.RecordBatch.from_pydict({"n": list(range(10))})
    parts = list(encoded_ahead(prepared([whole, whole.slice(0, 0)], 4)))
    assert [text for _, text in parts] == [b"0\n1\n2\n3\n", b"4\n5\n6\n7\n", b"8\n9\n", b""]
    assert [part.num_rows for part, _ in parts] == [4, 4, 2, 0]


def test_batches_of_different_columns_are_refused() -> None:
    """Guards a source that changes its columns half way: COPY would put values into the wrong ones."""
    other = pa.RecordBatch.from_pydict({"n": ["text"]})
    with pytest.raises(ExportDeclarationError, match="other columns"):
        list(prepared([pa.RecordBatch.from_pydict({"n": [1]}), other], 10))


def test_null_and_the_empty_text_are_different() -> None:
    """Guards NULL: in CSV, as COPY reads it, only an unquoted empty field is one."""
    texts = pa.RecordBatch.from_pydict({"a": ["", None, "NULL"], "b": [1, None, 3]})
    assert csv_bytes(texts) == b'"",1\n,\n"NULL",3\n'


def test_a_dead_letter_holds_what_postgres_cannot() -> None:
    """Guards the payload: NUL is escaped, exact numbers stay exact, and text stays readable."""
    one = pa.RecordBatch.from_pydict({"text": ["ü\0"], "nothing": pa.array([None], pa.int64())})
    assert payload_json(row_texts(one, 0)) == '{"text":"ü\\u0000","nothing":null}'
