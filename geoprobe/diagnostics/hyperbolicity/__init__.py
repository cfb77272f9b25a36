"""Tree-likeness of prompts and tokens: result, analyzer, verdict and their parts."""
