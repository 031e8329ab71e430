REWRITTEN = frozenset()
