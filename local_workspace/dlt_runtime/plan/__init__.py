"""From pipeline files to a graph of query plans that the engine can run."""
