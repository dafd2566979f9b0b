"""What a project says and how it is compiled: settings, graph, sources, selection. Nothing here runs a model."""
