"""`llmi2i debug`: the findings as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import click

from llm_i2i.runner.inspection.diagnosis import Finding, diagnose, missing
from llm_i2i.runner.project import Project

MARKS = {"ok": "ok", "absent": "-", "missing": "MISSING"}


def debug(open_project: Callable[[], Project], output: str, *, verify: bool = False) -> int:
    """Print the findings; the exit code, 1 if something needed is missing."""
    findings = diagnose(open_project, verify=verify)
    lacking = missing(findings)
    if output == "json":
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
        return 1 if lacking else 0
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            click.echo(f"\n{section}" if finding is not findings[0] else section)
        click.echo(_line(finding))
    click.echo(_verdict(lacking))
    return 1 if lacking else 0


def _line(finding: Finding) -> str:
    text = f"  {MARKS[finding.status]:<8}{finding.name:<17} {finding.detail}"
    return text + (f"\n{'':<10}{'fix:':<17} {finding.fix}" if finding.fix else "")


def _verdict(lacking: list[Finding]) -> str:
    if not lacking:
        return "\nNothing is missing that this project needs."
    things = "1 thing is" if len(lacking) == 1 else f"{len(lacking)} things are"
    return f"\n{things} missing: {', '.join(f'{f.section} {f.name}' for f in lacking)}."
