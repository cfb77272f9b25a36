"""`geoprobe finetune`: adapters trained equally, evaluated, and compared with intervals."""
