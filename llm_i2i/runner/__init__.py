"""Where compiler and machinery meet."""
