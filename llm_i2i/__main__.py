"""`python -m llm_i2i` is `llmi2i`."""

from llm_i2i.cli.main import main

main()
