"""The report that is drawn of an outcome."""
