"""What a round disturbs, and the state of the shop that it begins with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torture.shop import Shop

_WITHOUT_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
_BUILD_ALL = ("build", *_WITHOUT_TESTS)
#: The models that write step by step, each after the other, and a delivery to Postgres.
_BUILD = (
    "build",
    "--select",
    "+fct_daily_revenue",
    "+dim_customers",
    "+fct_product_performance",
    "exp_business_metrics",
    *_WITHOUT_TESTS,
)

#: States of the shop, in the order in which they come about.
LANDED, INGESTED, BUILT = "landed", "ingested", "built"


@dataclass(frozen=True)
class Scenario:
    """A command to disturb.

    Args:
        state: The state that it begins with.
        command: It is disturbed, and repeated until it succeeds.
        then: What is run undisturbed afterwards.
        weight: How often it is drawn, compared with the others.
        postgres: The state that the data of Postgres are taken from; that of the shop without one.
    """

    state: str
    command: Sequence[str]
    then: Sequence[Sequence[str]] = ()
    weight: int = 1
    postgres: str | None = None


SCENARIOS: Mapping[str, Scenario] = {
    "ingest": Scenario(LANDED, ("ingest",), weight=6),
    "refresh": Scenario(LANDED, ("ingest", "--full-refresh"), weight=2),
    "replay": Scenario(
        INGESTED,
        ("quarantine", "replay", "--rule", "price_positive", "--set", "price=9.99"),
        then=[("ingest",)],
        weight=3,
    ),
    "build": Scenario(INGESTED, _BUILD, weight=5),
    "build-all": Scenario(INGESTED, _BUILD_ALL, weight=1),
    # Everything that the last build delivered is missing in Postgres.
    "export": Scenario(BUILT, ("export",), weight=3, postgres=INGESTED),
}


def prepare(shop: Shop, seed: int) -> None:
    """Bring a shop into each of the states.

    Args:
        shop: A new one.
        seed: Of what it sells.
    """
    shop.must(["up"])
    shop.must(["generate", "--end", "2", "--batch-size", "150", "--seed", str(seed), "--faults", "0.2"])
    shop.must(["ingest"])
    shop.must(_BUILD_ALL)
    # The generator goes on with the seed of its history.
    shop.must(["generate", "--end", "6", "--batch-size", "60", "--faults", "0.2"])
    last = max(shop.layout.volumes.glob("*/*/*/orders/landing/orders-*"))
    lines = last.read_text(encoding="utf-8").splitlines()
    widened = [
        json.dumps({**json.loads(line), "channel": "web", "basket": {"size": 3}})
        for line in lines
        if line.startswith("{") and line.endswith("}")
    ]
    last.with_name("orders-with-new-columns.json").write_text(
        "".join(f"{line}\n" for line in widened).replace('"O-', '"P-'), encoding="utf-8"
    )
    shop.keep(LANDED)
    shop.must(["ingest"])
    shop.keep(INGESTED)
    shop.must(_BUILD_ALL)
    shop.keep(BUILT)
