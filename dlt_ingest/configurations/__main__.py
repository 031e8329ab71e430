"""`python -m dlt_ingest.configurations --validate --env dev`: the same as `orders config validate --env dev`."""

from __future__ import annotations

import argparse
import sys

from dlt_ingest.configurations.settings import CONFIGURATION_FOLDER
from dlt_ingest.configurations.validation import SCHEMA_FILE, settings_schema_text


def main(arguments: list[str] | None = None) -> None:
    """Translate the module's options into the command's, and hand over."""
    parser = argparse.ArgumentParser(
        prog="python -m dlt_ingest.configurations", description="The configuration files of all environments."
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--validate", action="store_true", help="check the files; exit 1 if one cannot be used"
    )
    action.add_argument(
        "--write-schema", action="store_true", help=f"regenerate {SCHEMA_FILE} from the settings class"
    )
    parser.add_argument("--env", default="all", metavar="NAME", help="environment to check (default: all)")
    chosen = parser.parse_args(arguments)
    if chosen.write_schema:
        (CONFIGURATION_FOLDER / SCHEMA_FILE).write_text(settings_schema_text(), encoding="utf-8")
        return

    from orders.cli.main import main as orders  # noqa: PLC0415  # writing the schema needs no command line

    orders(["config", "validate", "--env", chosen.env])


if __name__ == "__main__":
    main(sys.argv[1:])
