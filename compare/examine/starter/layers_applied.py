"""What the training of a file with layers as objects applies: a softmax nobody calls is in no net.

    out = forward(layers, x);  d = loss.backward(out, y)

forgets the softmax that its loss needs, however right a class Softmax stands in the file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from compare.examine.starter.layer_classes import LayerClasses, kept_unread, last_backward
from compare.examine.starter.layer_losses import loss_classes
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Statement


def is_applied(source: Source, classes: LayerClasses, name: str) -> bool:
    """Whether a training of the file comes to a class of it, or the file holds no training."""
    layers = {*classes.weighted, *classes.plain, *classes.holders, *loss_classes(source, classes)}
    training = [
        one
        for one in source.statements
        if not one.binds & layers and last_backward(ast.walk(one.node))
    ]
    unused = {one.func for one in kept_unread(source)}
    mentioned = {found for one in training for found in mentioned_in(one, unused)}
    return not training or name in source.closure(mentioned)


def mentioned_in(one: Statement, unused: Set[ast.expr]) -> Iterator[str]:
    """The names that a training reads up to its last backward pass: what comes after it predicts,
    and is no part of the network that learns, nor is what is made and `unused`."""
    end = last_backward(ast.walk(one.node))
    for node in ast.walk(one.node):
        read = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in unused
        if isinstance(node, ast.Name) and read and node.lineno <= end:
            yield node.id
