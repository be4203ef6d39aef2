"""What to train next, and why: the expansion algebra, the search and its loop."""
