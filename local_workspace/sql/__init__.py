"""Reading SQL text: its tokens, statements, names and markers, and what of it the engine computes wrongly."""
