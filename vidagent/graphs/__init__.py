"""How a question proceeds: the state, the ask graph and its budgets."""
