"""A SQL warehouse for one workspace folder: what Databricks' SQL clients talk to, on loopback.

It answers the Thrift protocol of databricks-sql-connector (and so of dbt-databricks) and the REST statement execution API,
keeps Unity Catalog's view of the world in the workspace's catalog, and lets the engine run the queries. It is a stand-in:
it proves that SQL, DDL, contracts and grants are accepted and what they compute, not how Photon runs them or what
permissions forbid. A statement that is not known is refused by name; one that is only recorded is noted as such in
``<home>/logs/statements.jsonl``.

Every change of a table is one Delta commit, under a lock of the table that holds between processes. One exception: a
CHECK is verified before the commit in INSERT and CREATE TABLE, but after it in UPDATE and MERGE, which are taken back by a
second commit if they broke it.

What the local engine (Sail 0.7) computes differently from Databricks, and what is not caught here:

* INSERT casts wherever a value can be cast; Databricks' store assignment refuses some casts at once.
* A view always has the present columns of its tables; Databricks keeps those of its creation.
* SHALLOW CLONE copies the files; CLUSTER BY is recorded and does not cluster.
* Grants and tags are recorded and keep nobody out.

`protocol` takes requests over HTTPS (Thrift, REST) and runs their statements in a `session`; `statements` finds who answers
one, and answers it. `local_workspace.sql` reads the text and puts the engine's names in place of the catalog's;
`local_workspace.delta` writes the Delta log.
"""
