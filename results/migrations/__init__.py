"""How the tables of a store became what `results.schema` says: Alembic's folder, one file a version of the store."""
