"""One training and its evaluation."""
