"""A laptop stand-in for Databricks: DLT runtime, SQL warehouse, catalog, engine, Postgres. Knows no orders."""
