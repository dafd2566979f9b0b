"""Apply one rewriting rule to a whole syntax tree, children before parents."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

Rule = Callable[[exp.Expression], exp.Expression]


def rewrite(tree: exp.Expression, rule: Rule) -> exp.Expression:
    """The tree with `rule` applied to each node; a replaced node keeps the type of the old one.

    sqlglot's own `transform` goes from the top down and leaves what is inside a replaced node as it was, so a list inside a list
    would be half translated. Here a rule sees a node whose children are done.

    Args:
        rule: Returns the node itself, or a new one made of copies.
    """
    for node in reversed(list(tree.bfs())):
        new = rule(node)
        if new is node:
            continue
        if new.type is None or new.is_type(exp.DataType.Type.UNKNOWN):
            new.type = node.type
        if node is tree:
            tree = new
        else:
            node.replace(new)
    return tree


def has_type(node: exp.Expression, kinds: set[exp.DataType.Type]) -> bool:
    """Whether a node's type is known and one of these."""
    return node.type is not None and node.type.this in kinds


def is_array(node: exp.Expression) -> bool:
    """Whether a node is known to be a list."""
    return has_type(node, {exp.DataType.Type.ARRAY, exp.DataType.Type.LIST})


def unknown(node: exp.Expression) -> bool:
    """Whether a node's type could not be told."""
    return node.type is None or has_type(node, {exp.DataType.Type.UNKNOWN})
