"""Tree rewrites on DuckDB SQL."""
