"""Carry out a plan: plan it, build what is stale, run unit and data tests, publish, and tell the outside of each event."""
