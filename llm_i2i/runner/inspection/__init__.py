"""Looking without building: the installation, the call cache, the age of sources, served calls, templates for linters."""
