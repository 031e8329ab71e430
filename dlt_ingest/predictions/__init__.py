"""Predictions over the marts: what customers will buy, and what the next days will bring, each beside its backtest."""
