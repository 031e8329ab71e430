"""The health of the product in one table: what an operator asks each morning, each answer with its limit and a next step."""
