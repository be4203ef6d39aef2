"""Networks that are built from a geometry."""
