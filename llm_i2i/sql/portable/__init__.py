"""DuckDB SQL carried to Apache Spark: what stock transpilation leaves out or gets silently wrong."""
