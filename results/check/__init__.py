"""Every invariant of a store, verified: what is wrong in it, and what can safely be done about that."""
