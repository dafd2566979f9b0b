"""Files to graph, graph to compiled models."""
