"""`python -m dlt_ingest.metrics --check`: the same as `orders check`."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> None:
    """Translate the module's options into the command's, and hand over.

    The command line is imported here and not above: it alone knows a local workspace.
    """
    parser = argparse.ArgumentParser(
        prog="python -m dlt_ingest.metrics", description="The health check of an environment."
    )
    parser.add_argument("--check", action="store_true", required=True, help="run it; exit 1 if not healthy")
    parser.add_argument("--env", default=None, metavar="NAME", help="environment instead of ORDERS_ENV")
    parser.add_argument("--format", default="table", choices=["table", "json", "prometheus"])
    chosen = parser.parse_args(arguments)

    from orders.cli.main import main as orders  # noqa: PLC0415

    orders(["check", "--format", chosen.format, *(["--env", chosen.env] if chosen.env else [])])


if __name__ == "__main__":
    main(sys.argv[1:])
