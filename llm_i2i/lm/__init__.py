"""Language models: what training and inference must agree on (items, settings, checkpoints) and the two ports to them."""
