"""Quarantined rows: how many there are and why, what is in them, and sending corrected ones back.

Everything reads the warehouse by a function that runs one statement, so that it works wherever SQL does. Table names have
two levels; the catalog is that of the connection.
"""
