"""Auto Loader (`cloudFiles`) for JSON lines: each new file once, parsed without losing or bending a value.

`options` reads what the query asked for, `listing` finds new files, `lines` cuts them, `inference` and
`types` keep the schema, `bulk_json` parses what is plainly clean at DuckDB's speed, `strict_json` everything
else, exactly; `stage` joins them.
"""
