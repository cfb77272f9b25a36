"""What is learned from and what is asked: instruction data, test sets, and what both have in common."""
