"""Queries over tables of every type with NULLs and edges: groups, windows, joins, set operations; some written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from local_workspace.sql import functions
from parity.frames import TABLES

#: Queries that were asked of Apache Spark before; their answers stand in the same file, for tests without Java.
FROZEN = Path(__file__).parents[1] / "tests/integration/warehouse/spark_answers.json"

# A column of `t` for each letter of a signature.
_COLUMNS = {
    "s": "s", "c": "n", "n": "n", "i": "i", "j": "k", "b": "b", "k": "k", "d": "d", "f": "f", "r": "r", "o": "0.5D",
    "D": "dt", "E": "dt", "T": "ts", "U": "ts", "B": "bo", "x": "x", "a": "a", "q": "q", "m": "m", "t": "st", "J": "j",
}  # fmt: skip
_CONSTANT = {"percentile": "0.25D", "percentile_cont": "0.5D"}
_ORDERED = frozenset(["first", "first_value", "last", "last_value", "any_value", "max_by", "min_by", "mode"])
_LISTS = frozenset(["collect_list", "collect_set", "array_agg"])
_BY_HAND = """
select i, sum(d) over (partition by bo order by f rows between 1 preceding and current row) as x from t
select i, sum(i) over (order by dt range between interval 30 days preceding and current row) as x from t where dt is not null
select i, d / lag(d) over (order by f) as x from t
select bo, sum(d) / sum(i) as x, avg(d) as y from t group by bo
select bo, count(*) as n from t group by all
select * except (q, a, m, st, j, x) from t
select i, d from t qualify row_number() over (partition by bo order by f) = 1
select distinct bo from t qualify count(*) over (partition by bo) > 1
select t.i, u.w from t left join u on t.i = u.i and t.d > u.e
select i, w from t join u using (i)
select i, w from t full join u using (i)
select i, w from t left semi join u using (i)
select t.i from t left anti join u on t.i = u.i
select i, v from t lateral view explode(q) as v
select i, v from t lateral view outer explode(q) as v
select i, w, z from t lateral view explode(m) as w, z
select i, p, v from t lateral view posexplode(a) as p, v
select i, col from t, lateral explode(q)
select * from (select bo, i, d from t) pivot (sum(d) for i in (1, 2, 3))
select * from (select i, b, cast(k as bigint) as k from t) unpivot (v for name in (b, k))
select i, d from t union all select i, e from u
select dt from t union all select ts from u
select i from t union select e from u
select n from t except select cast(i as string) from u
select i from t intersect select i from u
select i from t where i in (select i from u)
select i from t where not exists (select 1 from u where u.i = t.i)
select i, (select max(e) from u where u.i = t.i) as x from t
with a as (select i, d / 3 as z from t), b as (select i, z * 2 as y from a) select * from b
select i, z, z + 1 as y from (select i, d * 2 as z from t)
select d * 2 as z, z / 3 as y from t
select bo, i, sum(b) from t group by bo, i with rollup
select bo, grouping(bo) as g, sum(d) from t group by cube (bo)
select bo, i, sum(d) from t group by grouping sets ((bo), (i), ())
select bo, sum(b) filter (where i > 1) as x from t group by bo
select bo, count(distinct i, k) as x from t group by bo
select bo, sum(b) as x from t group by bo having sum(b) > 4
select case when i > 1 then d when i = 1 then f else i end as x from t
select case bo when true then i else d end as x from t
select i, st.p / 3 as x, q[0] as y from t where size(q) > 0
select max(struct(f, i)).i as x from t
select i, transform(q, v -> v * d) as x from t
select i from t where exists(a, v -> v = 'z')
select * from (select i, filter(q, v -> v > 1) as z from t) where size(z) > 0
select i, named_struct('a', d / 3, 'b', array(f)) as x from t
select to_json(named_struct('ts', ts, 'd', d, 'f', f, 'q', q)) as x from t
select date_trunc('MONTH', ts) as mo, sum(d) as x from t group by 1
select i, months_between(ts, dt) as x, datediff(ts, dt) as y from t
select percentile(f, 0.5) as x, median(d) as y from t
select corr(1.5D, 2.5D) as x from t
select i, ntile(2) over (order by f) as x, percent_rank() over (order by f) as y from t
select i, first_value(s) ignore nulls over (order by f) as x from t
select i, nth_value(d, 2) over (order by f rows between unbounded preceding and unbounded following) as x from t
select avg(d / 3) as x, sum(d * i) as y, sum(d) / count(d) as z from t
select sum(i / 2) as x, avg(i / k) as y from t where k <> 0
select i, coalesce(d, i, f) as x, nvl(i, d) as y, nullif(i, 1) as z from t
select listagg(n, ',') within group (order by n) as x from t
select i, d from t order by d desc nulls last limit 2
select i, d from t order by i limit 1 offset 1
select * from values (1, 1.5), (2, 2), (null, null) as v(a, b)
select inline(array(struct(1, 'a'), struct(2, 'b')))
select stack(2, 1, 'a', 2, 'b')
select i, b from t where (i, 1) in ((1, 1), (2, 1))
select i from t where s like '%a%' or s ilike 'SPARK%'
select i from t where f between d and 600
select i, f from t where d = 12.345D
select d + f as x, d * f as y, d / f as z, d % 2 as w from t where f <> 0
select cast(d as int) as a, cast(f as decimal(25,2)) as b, cast(f as string) as c, cast(ts as date) as e from t
"""


def queries() -> list[str]:
    """Return every query, once; tables are common table expressions, so that a query stands by itself."""
    frozen = [asked["sql"] for asked in json.loads(FROZEN.read_text())]
    own = [
        *(line for line in _BY_HAND.strip().splitlines() if line),
        *_of_aggregates(),
        *_of_windows(),
        *_unions(),
    ]
    return list(dict.fromkeys([*frozen, *(with_tables(sql) for sql in own)]))


def with_tables(sql: str) -> str:
    """Return a query with the tables `t` and `u` that it names."""
    definitions = ", ".join(f"{name} AS ({text})" for name, text in TABLES.items())
    if sql.startswith("with "):
        return f"WITH {definitions}, {sql.removeprefix('with ')}"
    return f"WITH {definitions} {sql}"


def _calls(kind: functions.Kind) -> Iterator[tuple[functions.Function, str]]:
    for function in functions.table().values():
        if function.kind is not kind or function.way_out:
            continue
        for letters in function.signatures:
            parts = functions.ARGUMENT.findall(letters)
            columns = [_COLUMNS.get(part, part.strip("{}")) for part in parts]
            if function.name in _CONSTANT:
                columns[-1] = _CONSTANT[function.name]
            yield function, f"{function.name}({', '.join(columns)})"


def _of_aggregates() -> Iterator[str]:
    for function, call in _calls(functions.Kind.AGGREGATE):
        if function.result == "unknown" or function.name in ("listagg", "string_agg", "approx_top_k"):
            continue
        value = f"array_sort({call})" if function.name in _LISTS else call
        if function.name not in _ORDERED or function.name.endswith("_by"):
            yield f"select {value} as x from t"
            yield f"select bo, {value} as x from t group by bo"
            yield f"select {value} as x from t where i > 100"
            yield f"select {value} as x from t where i is null"
        if function.name in ("sum", "avg", "count", "min", "max"):
            yield f"select bo, {call} filter (where i > 1) as x from t group by bo"
            yield f"select i, {call} over (partition by bo) as x from t"
            yield f"select i, {call} over (order by f rows between 1 preceding and 1 following) as x from t"


def _of_windows() -> Iterator[str]:
    for _, call in _calls(functions.Kind.WINDOW):
        call = call.replace("ntile(i)", "ntile(3)").replace(", k)", ", 1)")  # noqa: PLW2901
        yield f"select i, {call} over (partition by bo order by f) as x from t"
        yield f"select i, {call} over (order by f desc) as x from t"


def _unions() -> Iterator[str]:
    columns = ["i", "b", "k", "d", "f", "r", "s", "dt", "ts", "bo"]
    for left in columns:
        for right in columns:
            if left != right:
                yield f"select {left} as x from t where {left} is null union all select {right} from t where {right} is null"
                yield f"select count(*) as x from t as l join t as r on l.{left} = r.{right}"
