"""Rows and revenue, layer by layer, from the landing files to Postgres, to the cent.

Each step compares two neighbouring layers on what must not change between them, and names the first place where they differ:
a file, a day, a month or a customer. The figures of landing come from the files themselves: what is a record is read as Auto
Loader reads it, by a reader that the command line hands in; what it is worth is computed here with `Decimal`, not taken from
anything that the pipeline wrote.
"""
