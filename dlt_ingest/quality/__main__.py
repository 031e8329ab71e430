"""`python -m dlt_ingest.quality --test`: the same as `orders quality test`."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> None:
    """Translate the module's options into the command's, and hand over.

    The command line is imported here and not above: it alone knows a local workspace, on whose engine the
    rules run.
    """
    parser = argparse.ArgumentParser(
        prog="python -m dlt_ingest.quality",
        description="Run the rules on their built-in valid and invalid rows.",
    )
    parser.add_argument(
        "--test", action="store_true", required=True, help="run the check; exit 1 if a result is wrong"
    )
    parser.parse_args(arguments)

    from orders.cli.main import main as orders  # noqa: PLC0415

    orders(["quality", "test"])


if __name__ == "__main__":
    main(sys.argv[1:])
