"""Predictions over the marts: what customers will buy, and the revenue of the next days, each with its backtest."""
