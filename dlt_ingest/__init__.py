"""Orders ingest: DLT tables, rules, configuration, generators, metrics and the command line."""
