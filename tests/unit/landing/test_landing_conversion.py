"""Guards a shop's own files on their way into landing: nothing is guessed in silence, lost, doubled or bent."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from dlt_ingest.configurations.volume import OrdersVolume
from dlt_ingest.errors import InputError
from dlt_ingest.governance.customer_records import CustomerId
from orders.landing.conversion import land_sources, read_sources
from orders.landing.field_map import read_map
from orders.landing.file_kind import FileKind, kind_of
from orders.landing.originals import erase_from_originals, originals_rows
from orders.landing.suggestion import map_to_begin_with, suggested_names

FIELDS = {
    "order_id": "No", "order_line": {"number_within": "No"}, "order_item": "Item", "price": "Price", "items_ordered": "Qty",
    "status": {"constant": "fulfilled"}, "date_ordered": "Day", "order_timestamp": "Day",
    "customer_id": {"column": "Who", "remove_suffix": ".0"},
}  # fmt: skip
HEADER = "No,Item,Price,Qty,Day,Who,Note"


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return tmp_path / "landing"


def write_map(folder: Path, **changes) -> Path:
    path = folder / "map.yml"
    path.write_text(json.dumps({"fields": FIELDS, **changes}))
    return path


def land(landing: Path, *paths: Path, map_file: Path | None = None, split: bool = False):
    field_map = read_map(map_file) if map_file else None
    sources = read_sources(paths, field_map, split=split)
    return land_sources(sources, field_map, landing, landing.parent / "originals")


def records(landing: Path) -> list:
    return [json.loads(line) for path in sorted(landing.iterdir()) for line in path.read_text().splitlines()]


def file(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('[\n  {\n    "a": 1\n  }\n]\n', FileKind.ARRAY),
        ('[{"a": 1},\n{"a": 2}]', FileKind.ARRAY),
        ('\ufeff[\r\n{"a": 1}\r\n]', FileKind.ARRAY),
        ('{\n  "a": 1\n}\n{\n  "a": 2\n}\n', FileKind.OBJECTS),
        ('{"a": 1}\n{"a": 2}\n', FileKind.RECORDS),
        ('[{"a": 1}, {"a": 2}]\n', FileKind.RECORDS),
        ('[{"a": 1}]\n[{"a": 2}]\n', FileKind.RECORDS),
        ('{"a": 1\n{"a": 2}\n', FileKind.RECORDS),
        ("{'a': 1}\n{'a': 2}\n", FileKind.RECORDS),
        ("", FileKind.RECORDS),
        ("not json\n", FileKind.RECORDS),
    ],
)
def test_a_file_is_known_by_its_beginning(tmp_path, content, kind):
    """Guards the message: an array over several lines is named, and a file of records never is one by mistake."""
    assert kind_of(file(tmp_path, "a.json", content)) is kind
    packed = file(tmp_path, "a.json.gz", gzip.compress(content.encode()))
    assert kind_of(packed) is kind


def test_an_array_is_refused_by_name_and_split_on_request(tmp_path, landing):
    """Guards money and texts on their way: numbers stay as they are written, and the original is kept by its name."""
    first = '{\n    "price": 19.990000000000002,\n    "note": "a\\nb [{"\n  }'
    text = f'[\n  {first},\n  {{"price": 1.50, "big": 12345678901234567890.10}}\n]'
    path = file(tmp_path, "export.json", text)
    with pytest.raises(InputError, match=r"one JSON array over several lines.*--split"):
        land(landing, path)
    assert not landing.exists()
    assert [landed.file_name for landed in land(landing, path, split=True)] == ["export-0001.json"]
    lines = (landing / "export-0001.json").read_text().splitlines()
    assert [json.loads(line, parse_float=str) for line in lines] == [
        {"price": "19.990000000000002", "note": "a\nb [{"},
        {"price": "1.50", "big": "12345678901234567890.10"},
    ]
    assert (tmp_path / "originals" / "export.json").read_text() == text
    assert [landed.written for landed in land(landing, path, split=True)] == [False]


def test_a_damaged_array_lands_nothing(tmp_path, landing):
    """Guards against half a file: what cannot be split to its end leaves landing as it was."""
    with pytest.raises(InputError, match="not JSON"):
        land(landing, file(tmp_path, "a.json", '[\n{"a": 1},\n{"a": \n]'), split=True)
    assert not landing.exists()


def test_delimited_text_needs_a_map_and_becomes_records(tmp_path, landing):
    """Guards the conversion: quotes, line ends within quotes, numbers of lines, empty columns, a row that does not fit."""
    content = (
        f"{HEADER}\r\n"
        '1,"Mug, ""large""\nblue",12.50,2,2026-03-01 09:30:00,17850.0,x\r\n'
        "1,Plate,3,1,2026-03-01 09:30:00,17850.0,\r\n"
        "\r\n"
        "2,Cup,,six,2026-03-02,,\r\n"
        "3,Cup,1\r\n"
    )
    path = file(tmp_path, "shop.csv", content)
    with pytest.raises(InputError, match=r"No, Item, Price.*--profile"):
        land(landing, path)
    land(landing, path, map_file=write_map(tmp_path))
    moment = "2026-03-01 09:30:00"
    first = {
        "order_id": "1", "order_line": "1", "order_item": 'Mug, "large"\nblue', "price": "12.50", "items_ordered": 2,
        "status": "fulfilled", "date_ordered": moment, "order_timestamp": moment, "customer_id": "17850",
    }  # fmt: skip
    assert records(landing) == [
        first,
        {**first, "order_line": "2", "order_item": "Plate", "price": "3", "items_ordered": 1},
        {"order_id": "2", "order_line": "1", "order_item": "Cup", "items_ordered": "six", "status": "fulfilled",
         "date_ordered": "2026-03-02", "order_timestamp": "2026-03-02"},
        "3,Cup,1",
    ]  # fmt: skip
    assert (tmp_path / "originals" / "shop.csv").read_bytes() == content.encode()


@pytest.mark.parametrize(
    ("name", "encoding", "delimiter"),
    [
        ("a.csv", "utf-8-sig", ","),
        ("a.csv", "utf-16", ";"),
        ("a.tsv", "utf-8", "\t"),
        ("a.txt", "cp1252", "|"),
    ],
)
def test_encodings_and_delimiters_are_found_out_or_said(tmp_path, landing, name, encoding, delimiter):
    """Guards names in other scripts: no letter is bent, whatever program wrote the file."""
    rows = [HEADER, "1,Größe für Übergrößen,12.5,2,2026-03-01,C1,"]
    content = "\n".join(row.replace(",", delimiter) for row in rows)
    said = {"encoding": "cp1252"} if encoding == "cp1252" else {}
    land(landing, file(tmp_path, name, content, encoding), map_file=write_map(tmp_path, **said))
    assert [record["order_item"] for record in records(landing)] == ["Größe für Übergrößen"]


def test_a_decimal_comma_and_a_date_format_are_declared_never_guessed(tmp_path, landing):
    """Guards money: 1.234,50 is read only because the map says so, and what is not as declared stays for the rules."""
    fields = {
        **FIELDS,
        "price": {"column": "Price", "decimal": ","},
        "date_ordered": {"column": "Day", "format": "%d.%m.%Y"},
    }
    rows = ["No;Item;Price;Qty;Day;Who", "1;Mug;1.234,50;1;01.03.2026;C1", "2;Mug;12,50 EUR;1;2026-03-01;C1"]
    path = file(tmp_path, "de.csv", "\n".join(rows))
    land(landing, path, map_file=write_map(tmp_path, fields=fields))
    assert [(r["price"], r["date_ordered"]) for r in records(landing)] == [
        ("1234.50", "2026-03-01 00:00:00"),
        ("12,50 EUR", "2026-03-01"),
    ]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m: m["fields"].pop("price"), "without a source: price"),
        (lambda m: m["fields"].update(prize="Price"), "not fields of an order record: prize"),
        (lambda m: m["fields"].update(price="Prize"), "Prize"),
        (lambda m: m["fields"].update(price={"column": "Price", "constant": "1"}), "set one of"),
        (lambda m: m.update(delimeter=";"), "delimeter"),
    ],
)
def test_a_map_that_is_not_usable_lands_nothing(tmp_path, landing, spoil, words):
    """Guards against a mapping that is nearly right: it is refused by name, with what is allowed."""
    content = {"fields": dict(FIELDS)}
    spoil(content)
    path = tmp_path / "map.yml"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        land(landing, file(tmp_path, "a.csv", f"{HEADER}\n1,a,1,1,2026-03-01,C,\n"), map_file=path)
    assert not landing.exists()


def test_another_content_under_a_name_lands_nothing(tmp_path, landing):
    """Guards against doubled orders: the same name with other rows, or another map, is refused before anything lands."""
    path = file(tmp_path, "a.csv", f"{HEADER}\n1,a,1,1,2026-03-01,C,\n")
    map_file = write_map(tmp_path)
    land(landing, path, map_file=map_file)
    before = sorted(landing.iterdir())
    file(tmp_path, "a.csv", f"{HEADER}\n2,a,1,1,2026-03-01,C,\n")
    with pytest.raises(InputError, match="other content"):
        land(landing, path, map_file=map_file)
    assert sorted(landing.iterdir()) == before


def test_a_customer_can_be_erased_from_originals(tmp_path, landing):
    """Guards erasure: the file that was kept has the customer too, and every other row stays."""
    content = f"{HEADER}\n1,a,1,1,2026-03-01,17850.0,\n2,a,1,1,2026-03-01,13047.0,17850\n"
    land(landing, file(tmp_path, "a.csv", content), map_file=write_map(tmp_path))
    array = '[\n{"customer_id": "17850"},\n{"customer_id": "2"}\n]'
    land(landing, file(tmp_path, "b.json", array), split=True)
    originals, customer = tmp_path / "originals", CustomerId("17850")
    assert originals_rows(originals, customer) == 2
    assert erase_from_originals(originals, customer) == 2
    assert (originals / "a.csv").read_text() == f"{HEADER}\n2,a,1,1,2026-03-01,13047.0,17850\n"
    assert json.loads((originals / "b.json").read_text()) == [{"customer_id": "2"}]
    assert originals_rows(originals, customer) == 0


def test_the_shops_name_of_the_customer_is_known_to_the_erasure():
    """Guards FIELD_NAMES: a line that names the customer in the shop's words is theirs, though the id is a bare number."""
    line = b'{"KundenNr": 17850, "order_id": "1"}'
    assert CustomerId("17850", ("KundenNr",)).owns_line(line)
    assert not CustomerId("1785", ("KundenNr",)).owns_line(line)
    assert not CustomerId("17850").owns_line(line)


def test_a_map_to_begin_with_names_what_is_likely_and_asks_for_the_rest():
    """Guards the proposal: it is read by the command itself once its gaps are filled."""
    header = ["InvoiceNo", "Description", "Quantity", "InvoiceDate", "UnitPrice", "Country"]
    assert suggested_names(header)["order_id"] == "InvoiceNo"
    text = map_to_begin_with(header)
    assert "customer_id:   # which column?" in text
    assert 'order_line: {number_within: "InvoiceNo"}' in text


def test_originals_lie_beside_landing_and_are_never_ingested():
    """Guards against doubled orders: Auto Loader reads landing and its folders, and originals are in none of them."""
    volume = OrdersVolume("c", "s", "v")
    assert not volume.originals.startswith(volume.landing)
