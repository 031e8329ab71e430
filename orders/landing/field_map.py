"""The map file of `orders land --map`: which column of a delimited file is which field of the order record.

A YAML or JSON mapping:

    fields:
      order_id: InvoiceNo                                   # a column
      order_line: {number_within: InvoiceNo}                # 1, 2, 3 ... for the rows of each invoice
      status: {constant: fulfilled}                         # the same for every row
      customer_id: {column: CustomerID, remove_suffix: ".0"}
      price: {column: Preis, decimal: ","}                  # 1.234,50 is 1234.50
      date_ordered: {column: Datum, format: "%d.%m.%Y"}     # as Python's strptime
    delimiter: ";"                                          # detected if not set
    encoding: cp1252                                        # detected if not set

Columns that no field names are not in the records; the original keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dlt_ingest.errors import InputError
from dlt_ingest.quality.order_record import ORDER_FIELDS, REQUIRED_FIELDS
from dlt_ingest.yaml_files import read_mapping

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_COMMA_DECIMAL = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?")
_POINT_DECIMAL = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?")
_INTEGERS = frozenset(field.name for field in ORDER_FIELDS if field.type == "BIGINT")


class FieldSource(BaseModel):
    """Where the value of one field comes from: a column, a constant, or the number of the row within its order."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    column: str | None = None
    constant: str | None = None
    number_within: str | None = None
    remove_suffix: str | None = None
    decimal: Annotated[str, Field(pattern=r"^[.,]$")] | None = None
    format: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> FieldSource:
        if sum(value is not None for value in (self.column, self.constant, self.number_within)) != 1:
            raise ValueError("set one of column, constant and number_within")
        if self.column is None and (self.remove_suffix or self.decimal or self.format):
            raise ValueError("remove_suffix, decimal and format need a column")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the value comes from."""
        return tuple(name for name in (self.column, self.number_within) if name is not None)

    def value_of(self, text: str) -> str:
        """Return the value of a column's text. A text that does not match its declaration stays unchanged."""
        if self.remove_suffix:
            text = text.removesuffix(self.remove_suffix)
        if self.decimal == "," and _COMMA_DECIMAL.fullmatch(text):
            text = text.replace(".", "").replace(",", ".")
        elif self.decimal == "." and _POINT_DECIMAL.fullmatch(text):
            text = text.replace(",", "")
        if self.format:
            try:
                moment = datetime.strptime(text, self.format)  # noqa: DTZ007  (its zone is TIME_ZONE, or the format's %z)
            except ValueError:
                return text
            return moment.isoformat(sep=" ")
        return text


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    fields: dict[str, str | FieldSource]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class FieldMap:
    """Which column is which field.

    Attributes:
        fields: Field of the order record -> where its value comes from.
        delimiter: The column separator; None to detect it.
        encoding: The encoding; None to detect it.
    """

    fields: Mapping[str, FieldSource]
    delimiter: str | None = None
    encoding: str | None = None

    def check(self, header: Sequence[str], where: str) -> None:
        """Raise an error if a file lacks a column of the map.

        Raises:
            InputError: If it does.
        """
        wanted = {name for source in self.fields.values() for name in source.columns}
        missing = sorted(wanted - set(header))
        if missing:
            raise InputError(
                "The map names columns that the file does not have",
                got=f"{', '.join(missing)} ({where})",
                allowed=", ".join(header),
                consequence="Nothing was landed",
                next_step="Correct the map; if the columns look wrong, set its delimiter",
            )

    def records(self, header: Sequence[str]) -> _Records:
        """Return what turns rows of a file with this header into records."""
        return _Records(self, header)


class _Records:
    """Turns rows into records, and counts the rows of each order."""

    def __init__(self, field_map: FieldMap, header: Sequence[str]) -> None:
        self._places = {name: at for at, name in enumerate(header)}
        self._fields = field_map.fields
        self._counts: dict[tuple[str, str], int] = {}

    def of(self, row: Sequence[str]) -> dict[str, Any]:
        """Return the record of one row; an empty column has no value."""
        record: dict[str, Any] = {}
        for name, source in self._fields.items():
            value = self._value(name, source, row)
            if value is not None:
                record[name] = value
        return record

    def _value(self, name: str, source: FieldSource, row: Sequence[str]) -> Any:
        if source.constant is not None:
            value = source.constant
        elif source.number_within is not None:
            key = (name, row[self._places[source.number_within]])
            self._counts[key] = self._counts.get(key, 0) + 1
            value = str(self._counts[key])
        else:
            value = source.value_of(row[self._places[source.column or ""]])
        if value == "":
            return None
        return int(value) if name in _INTEGERS and _INTEGER.fullmatch(value) else value


def read_map(path: Path) -> FieldMap:
    """Read and check a map file.

    Raises:
        InputError: The file is missing or not YAML, names an unknown field, or lacks one.
    """
    try:
        document = _Document.model_validate(read_mapping(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise _unusable(path, faults) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise _unusable(path, str(error).splitlines()[0]) from error
    known = [field.name for field in ORDER_FIELDS]
    unknown = [name for name in document.fields if name not in known]
    missing = [field.name for field in REQUIRED_FIELDS if field.name not in document.fields]
    if unknown:
        raise _unusable(path, f"not fields of an order record: {', '.join(unknown)}")
    if missing:
        raise _unusable(path, f"fields without a source: {', '.join(missing)}")
    fields = {
        name: FieldSource(column=source) if isinstance(source, str) else source
        for name, source in document.fields.items()
    }
    return FieldMap(fields, document.delimiter, document.encoding)


def _unusable(path: Path, faults: str) -> InputError:
    return InputError(
        "The map cannot be used",
        got=f"{path}: {faults}",
        allowed="fields: <field>: <column>, for "
        + ", ".join(field.name for field in REQUIRED_FIELDS)
        + ", and order_line if there is one (docs/your-files.md)",
        consequence="Nothing was landed",
        next_step="Correct the map; `orders land --profile FILE` prints one to start from",
    )
