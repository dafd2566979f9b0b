"""Seeds: CSV files that are tables of the project."""

from __future__ import annotations

from llm_i2i.config.loader import LoadedProject, shown_path
from llm_i2i.config.properties import merge_seed_config
from llm_i2i.errors import LlmI2iError
from llm_i2i.graph.contract import declared_contract
from llm_i2i.graph.node import Node, source_node_name
from llm_i2i.graph.parts import files_of, folder_of

SEED_FILES = "seeds"  # the source whose tables are the files of the seeds


def load_seeds(
    project: LoadedProject, part: LoadedProject, errors: list[LlmI2iError]
) -> list[Node]:
    """Two nodes a seed: its CSV file, as a table of the source `seeds`, and the table that models ref()."""
    from llm_i2i.render.relations import relation_name

    nodes: list[Node] = []
    for file in files_of(part, "seed_paths", ".csv"):
        path, name = shown_path(file, project.root), file.stem
        properties = part.properties.seeds.get(name)
        folder = (*folder_of(project, part, path, part.config.seed_paths), name)
        layers = part.config.seed_layers(folder)
        if part is not project:
            layers += project.config.seed_layers(folder, part.config.name)
        config = merge_seed_config([*layers, *([properties.config_layer] if properties else [])])
        source = source_node_name(SEED_FILES, name)
        try:
            contract = declared_contract(
                config.contract is not None and config.contract.enforced, properties
            )
        except LlmI2iError as error:
            error.where = error.where or path
            errors.append(error)
            continue
        columns = tuple(c.name for c in properties.columns) if properties else ()
        nodes.append(
            Node(
                name=source,
                path=path,
                materialized="source",
                file_path=path,
                file_format="csv",
                columns=columns,
                config={"delimiter": config.delimiter, "column_types": config.column_types},
                tags=tuple(config.tags),
                resource_type="source",
                package=part.config.name,
                fqn=(part.config.name, SEED_FILES, name),
            )
        )
        nodes.append(
            Node(
                name=name,
                path=path,
                materialized="table",
                sql=f"select * from {relation_name(source)}",
                reads=(source,),
                tags=tuple(config.tags),
                description=properties.description if properties else "",
                columns=columns,
                config={"materialized": "seed", **config.model_dump(mode="json")},
                resource_type="seed",
                package=part.config.name,
                fqn=(part.config.name, *folder),
                contract=contract,
            )
        )
    return nodes
