"""YAML files of a project -> validated settings that know where they were written."""
