"""Files that other tools read after a run: manifest, run results and catalogue in dbt's shape, and JSON Schemas for editors."""
