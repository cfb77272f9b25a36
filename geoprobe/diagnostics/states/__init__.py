"""Tree-likeness of hidden states, layer by layer."""
