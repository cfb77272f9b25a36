"""Models: what a user names, to its embedding table and tokenizer."""
