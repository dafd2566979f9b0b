"""Exposures of a project and its packages, with what they depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i.config.loader import LoadedProject
from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.graph.node import Exposure, source_node_name

if TYPE_CHECKING:
    from llm_i2i.config.exposures import ExposureProperties
    from llm_i2i.render.renderer import Renderer


def load_exposures(
    project: LoadedProject, renderer: Renderer, errors: list[LlmI2iError]
) -> dict[str, Exposure]:
    """Enabled exposures by name; what is wrong goes to `errors`."""
    found: dict[str, Exposure] = {}
    for part in project.parts:
        for exposure in part.properties.exposures.values():
            if not exposure.config.enabled:
                continue
            try:
                node = _exposure(exposure, part.config.name, renderer)
            except LlmI2iError as error:
                errors.append(error)
                continue
            first = found.setdefault(node.name, node)
            if first is not node:
                errors.append(
                    ProjectError(
                        f"exposure {node.name!r} exists twice",
                        where=node.path,
                        found=f"also {first.path}",
                        fix="rename one",
                    )
                )
    return found


def _exposure(exposure: ExposureProperties, package: str, renderer: Renderer) -> Exposure:
    rendered = [
        renderer.render_expression(f"{{{{ {call} }}}}", exposure.location)
        for call in exposure.depends_on
    ]
    reads = [r.name for one in rendered for r in one.refs]
    reads += [source_node_name(s.source, s.table) for one in rendered for s in one.sources]
    return Exposure(
        name=exposure.name,
        path=exposure.location,
        type=exposure.type,
        owner=exposure.owner.model_dump(mode="json", exclude_none=True),
        reads=tuple(dict.fromkeys(reads)),
        label=exposure.label,
        url=exposure.url,
        maturity=exposure.maturity or "",
        description=exposure.description,
        package=package,
        tags=tuple(dict.fromkeys([*exposure.tags, *exposure.config.tags])),
        config={"meta": {**exposure.meta, **exposure.config.meta}, "enabled": True},
    )
