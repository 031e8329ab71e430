"""The configuration of each environment: one validated JSON file each, and the pipeline's part of it.

`settings` reads and checks the files (pydantic); `pipeline` is the part that runs inside the DLT pipeline and
imports nothing but the standard library. Nothing is imported here, so that the one does not pull in the
other.
"""
