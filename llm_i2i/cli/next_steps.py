"""What `llmi2i` without a command says: the commands that come next in the folder one stands in."""

from __future__ import annotations

from pathlib import Path

PROJECT_FILES = ("project/project.yml", "project.yml")


def next_steps(folder: Path) -> list[tuple[str, str]]:
    """Three commands and what each is for: in no project, in one that was never built, and in one that was."""
    if not any((folder / name).is_file() for name in PROJECT_FILES):
        return [
            ("llmi2i init shop", "write a running project into the folder shop"),
            ("cd shop && llmi2i build", "build its index from a made-up log"),
            ("llmi2i debug", "see what is installed and what is missing"),
        ]
    if not any(folder.glob("target/*.duckdb")):
        return [
            ("llmi2i debug", "see what is installed and what is missing"),
            ("llmi2i plan", "see what a build would do"),
            ("llmi2i build", "build the index, test it, publish it"),
        ]
    return [
        ('llmi2i query "from metrics_summary"', "compare recall of all arms"),
        ("llmi2i serve", "look at the related items of any item in the browser"),
        ("llmi2i build", "build again what is stale"),
    ]


def render_next_steps(folder: Path) -> str:
    """The same as text, with the way to the list of all commands."""
    steps = next_steps(folder)
    width = max(len(command) for command, _ in steps)
    lines = [f"  {command.ljust(width)}  {purpose}" for command, purpose in steps]
    return "\n".join(["Next:", *lines, "", "All commands: llmi2i --help"])
