"""A laptop stand-in for Databricks: DLT runtime, SQL warehouse, catalog, engine and Postgres. Knows nothing of orders."""
