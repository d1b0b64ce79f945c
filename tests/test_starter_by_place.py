"""A list is told from a dictionary by how a function asks for what is in it."""

import ast

import pytest

from compare.examine.starter.by_place import positional


@pytest.mark.parametrize(
    ("body", "takes_a_list"),
    [
        ("a, b, c = sizes", True),
        ("[one for one in sizes]", True),
        ("sizes[0]", True),
        ("for i in range(1, len(sizes)): f(sizes[i], sizes[i - 1])", True),
        ("for i in reversed(range(len(sizes))): f(sizes[i])", True),
        ("for i in range(len(sizes) // 2): f(sizes['W' + str(i)])", False),
        ("for i in range(len(sizes) // 2): f(sizes[f'W{i}'])", False),
        ("for key in names: f(sizes[key])", False),
    ],
)
def test_what_asks_for_places_takes_a_list(body: str, takes_a_list: bool) -> None:
    assert positional(ast.parse(body), "sizes") is takes_a_list
