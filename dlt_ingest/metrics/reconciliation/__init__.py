"""Rows and revenue, layer by layer, from the landing files to Postgres, to the cent.

Each step compares two neighbouring layers on what must not change between them, and names the first place where they differ:
a file, a day, a month or a customer. The figures of landing come from the files themselves, read here with Python's JSON
parser and `Decimal`, not from anything that the pipeline wrote.
"""
