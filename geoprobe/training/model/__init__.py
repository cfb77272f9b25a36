"""The model that is adapted: loaded, or by its shape alone, and with adapters."""
