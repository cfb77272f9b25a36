"""The law of token frequencies: result, analyzer, verdict and their parts."""
