"""How answers are read from what a model wrote."""
