"""Benchmarks, each beside a peer: what matters is the ratio on the same machine in the same minute, never the seconds."""
