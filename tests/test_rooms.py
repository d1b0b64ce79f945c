"""The rooms of `compare` stand in the order of the flow, and each imports only from below it."""

from tests.rooms import ORDER, arrows, at_once, circles, modules, reach, room, upward

ARGUED = {
    # `python -m compare.mistakes` is the documented command of the catalogue's handbook: its
    # `__main__.py` is a door that nothing imports.
    ("mistakes", "handbook"),
}


def test_every_module_stands_in_a_room_of_the_list() -> None:
    assert {room(name) for name in modules()} == set(ORDER)


def test_there_are_at_most_twenty_rooms() -> None:
    assert len(ORDER) <= 20


def test_a_room_imports_only_from_rooms_below_it() -> None:
    assert upward(arrows()) == ARGUED


def test_no_modules_import_each_other_in_a_circle_not_even_lazily() -> None:
    assert circles() == []


def test_the_catalogue_is_read_only_where_something_disagrees() -> None:
    known = modules()
    edges = {name: set(at_once(path, known)) for name, path in known.items()}
    for name in known:  # a module is imported after the packages it stands in
        edges[name] |= {name.rpartition(".")[0]} & set(known)
    assert "compare.judge.conclusion" in reach("compare.examine.point", edges)
    ways_in = ("compare.command.jobs", "compare.examine.point", "compare.examine.training")
    for way_in in ways_in:
        assert "compare.mistakes.catalogue" not in reach(way_in, edges)
