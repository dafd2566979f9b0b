"""Sources that are not files of this machine: their rows or files are copied once per version, and the copies are read."""
