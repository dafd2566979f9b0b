"""Results, calls and environments on disk."""
