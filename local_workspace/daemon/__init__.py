"""The workspace daemon: one process a folder, which owns the engine, the SQL warehouse and Postgres.

It runs as `python -m local_workspace.daemon HOME`; :mod:`local_workspace.daemon.client` starts, finds and
stops it.
"""
