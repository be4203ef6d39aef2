"""What came out of a search: the SQL store, exported configs, tables, plots and reports."""
