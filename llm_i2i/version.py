"""The version of llm_i2i, in a module of its own: whoever writes it down need not import the Python API."""

__version__ = "0.1.0"
