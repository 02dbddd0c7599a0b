"""Deep state space models, derived step by step in the book *Executable State Spaces*."""
