"""Jinja templates -> SQL text, with what each one read and where each line came from."""
