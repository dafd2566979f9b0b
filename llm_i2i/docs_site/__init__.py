"""The documentation of a project as one static site, made from its manifest, its lineage and what its store holds."""
