"""A SQL warehouse for one workspace folder: what Databricks' SQL clients talk to, on loopback.

It answers the Thrift protocol of databricks-sql-connector (and so of dbt-databricks) and the REST statement execution API,
keeps Unity Catalog's view of the world in the workspace's catalog, and lets the engine run the queries. It is a stand-in:
it proves that SQL, DDL, contracts and grants are accepted and what they compute, not how Photon runs them or what
permissions forbid.
"""
