"""Experiments: variants of a project as environments of one store, and what comes of them."""
