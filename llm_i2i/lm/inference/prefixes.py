"""Final hidden states of many prompts of a small Llama: what prompts begin with in common is read once.

Prompts of signals share most of their words, those of one user's histories nearly all. The sorted prompts are a tree; a node is a
token behind all that comes before it. Each layer computes every node once, and the last layer only the nodes where prompts end.
"""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import rms_norm
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm, rotate_half

from llm_i2i.lm.inference.ranking import Ints, pad

NODES = 4096  # of one block: its activations stay near the caches


@dataclass(frozen=True)
class PrefixTree:
    """The distinct beginnings of some prompts.

    Attributes:
        tokens: Last token of each beginning (a node), int64, shape (nodes,); shorter beginnings come first.
        paths: For each length, shortest first, the nodes of the beginnings of that length: shape (nodes, length), from the
            prompt's first token to the node itself.
        ends: Node at which each prompt ends, shape (prompts,).
    """

    tokens: Ints
    paths: tuple[Ints, ...]
    ends: Ints


def prefix_tree(tokens: Ints, lengths: Ints) -> PrefixTree:
    """The tree of sorted prompts.

    Args:
        tokens: Right-padded token ids, shape (prompts, length), ordered so that equal beginnings are neighbours.
        lengths: Their lengths, at least 1, shape (prompts,).
    """
    is_new = np.arange(tokens.shape[1]) >= _shared(tokens, lengths)[:, None]
    is_new &= np.arange(tokens.shape[1]) < lengths[:, None]
    counts = is_new.sum(axis=0)
    # Node of each prompt at each place; behind a prompt's end it means nothing.
    nodes = np.cumsum(is_new, axis=0) - 1 + (np.cumsum(counts) - counts)
    paths = tuple(nodes[rows, : place + 1] for place, rows in enumerate(is_new.T))
    return PrefixTree(
        np.concatenate([tokens[rows, place] for place, rows in enumerate(is_new.T)]),
        paths,
        nodes[np.arange(len(tokens)), lengths - 1],
    )


def last_states(model: LlamaForCausalLM, rows: Sequence[Sequence[int]]) -> Tensor:
    """Final hidden state of the last token of each prompt, float32, shape (prompts, d).

    Args:
        model: A Llama with as many key heads as query heads, on the CPU.
        rows: Token ids of the prompts, none empty.
    """
    states = torch.empty(len(rows), model.config.hidden_size)

    def read(block: tuple[Ints, PrefixTree]) -> None:
        index, tree = block
        states[torch.from_numpy(index)] = _read(model, tree)

    # Operations this small gain nothing from torch's own threads: each block has one.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(read, _blocks(rows)):
                pass
    finally:
        torch.set_num_threads(threads)
    return states


def _blocks(rows: Sequence[Sequence[int]]) -> Iterator[tuple[Ints, PrefixTree]]:
    """(row numbers, their tree), some `NODES` nodes each."""
    if not rows:
        return
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    tokens = pad(rows, lengths)
    order = np.lexsort(tokens.T[::-1])
    tokens, lengths = tokens[order], lengths[order]
    added = np.cumsum(lengths - _shared(tokens, lengths))
    starts = np.flatnonzero(np.diff(added // NODES, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield order[start:stop], prefix_tree(tokens[start:stop], lengths[start:stop])


def _shared(tokens: Ints, lengths: Ints) -> Ints:
    """How many tokens each prompt has in common with the one before it, from the beginning."""
    same = tokens[1:] == tokens[:-1]
    equal = np.where(same.all(axis=1), tokens.shape[1], same.argmin(axis=1))
    shared = np.minimum(equal, np.minimum(lengths[1:], lengths[:-1]))
    return np.concatenate([[0], shared])


@torch.inference_mode()
def _read(model: LlamaForCausalLM, tree: PrefixTree) -> Tensor:
    """Final hidden state where each prompt of a tree ends, shape (prompts, d)."""
    llama = model.model
    states = llama.embed_tokens.weight[torch.from_numpy(tree.tokens)]
    lengths = torch.tensor([len(path) for path in tree.paths])
    cos, sin = llama.rotary_emb(states, torch.arange(len(lengths))[None])
    angles = (
        cos[0].repeat_interleave(lengths, 0)[:, None],
        sin[0].repeat_interleave(lengths, 0)[:, None],
    )
    *layers, last = llama.layers
    for layer in layers:
        states = _layer(layer, states, tree.paths, angles)
    is_end = np.zeros(len(tree.tokens), dtype=bool)
    is_end[tree.ends] = True
    states = _layer(last, states, [path[is_end[path[:, -1]]] for path in tree.paths], angles)
    return _norm(llama.norm, states)[torch.from_numpy((np.cumsum(is_end) - 1)[tree.ends])]


def _layer(
    layer: LlamaDecoderLayer, states: Tensor, paths: Sequence[Ints], angles: tuple[Tensor, Tensor]
) -> Tensor:
    """The states of the nodes at which `paths` end, one layer up."""
    attention = layer.self_attn
    asked = torch.from_numpy(np.concatenate([path[:, -1] for path in paths]))
    everything = len(asked) == len(states)
    normed = _norm(layer.input_layernorm, states)
    heads = (-1, attention.config.num_attention_heads, attention.head_dim)
    keys = _rotated(attention.k_proj(normed).view(heads), angles)
    values = attention.v_proj(normed).view(heads)
    if not everything:
        states, normed, angles = states[asked], normed[asked], (angles[0][asked], angles[1][asked])
    queries = _rotated(attention.q_proj(normed).view(heads), angles) * attention.scaling
    seen = [
        _attend(some, keys, values, path)
        for some, path in zip(queries.split([len(path) for path in paths]), paths, strict=True)
    ]
    states = states + attention.o_proj(torch.cat(seen).flatten(1))
    return states + layer.mlp(_norm(layer.post_attention_layernorm, states))


def _attend(queries: Tensor, keys: Tensor, values: Tensor, path: Ints) -> Tensor:
    """What each query sees along its path, shape (queries, heads, width)."""
    shape = (*path.shape, *keys.shape[1:])
    nodes = torch.from_numpy(path.ravel())
    keys = keys.index_select(0, nodes).view(shape)
    values = values.index_select(0, nodes).view(shape)
    shares = (keys * queries[:, None]).sum(3).softmax(1)
    return (values * shares[..., None]).sum(1)


def _norm(norm: LlamaRMSNorm, states: Tensor) -> Tensor:
    return rms_norm(states, states.shape[1:], norm.weight, norm.variance_epsilon)


def _rotated(values: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = angles
    return values * cos + rotate_half(values) * sin
