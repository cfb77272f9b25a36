"""The diagnostics: one file each, with its options, its result and the rule of its verdict."""
