"""The same trials, carried out in this process or on a Ray cluster."""
