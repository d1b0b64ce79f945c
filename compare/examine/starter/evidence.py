"""What a file says of the parameters of its functions, while they are called one after another.

Its own calls, the names and keys of what its functions returned, and the stages of a network that
were recognised among that (`whole`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from compare.examine.starter.arrays_in import leaves
from compare.examine.starter.binding import certain, plain, possible, weights_of
from compare.examine.starter.chain import PAIR, PAIRS, Call, Chain, Ran, value_of
from compare.examine.starter.flow import same_name
from compare.examine.starter.networks import Fit
from compare.examine.starter.numbering import FROM_ONE, counts_from_one
from compare.examine.starter.numbers_named import setting_named, size_named
from compare.examine.starter.readings import Sizes
from compare.examine.starter.subject import Subject, unpacked_into, walks_pairs
from compare.examine.starter.unrolled import Unrolled


@dataclass
class Evidence:
    """What is known of a file so far."""

    subject: Subject
    sizes: Sizes
    stages: dict[str, list[str]] = field(default_factory=dict)
    """The values that are hidden units, or p, of a network."""
    keys: dict[str, frozenset[str]] = field(default_factory=dict)
    """The keys of dictionaries that functions returned."""
    lengths: dict[str, int] = field(default_factory=dict)
    """How many values there are in a tuple or list that functions returned."""
    built: frozenset[str] = frozenset()
    """The initialisers of the file: what they return are its weights in its own containers."""
    parts: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Arrays that functions returned, also in caches, and their names there."""

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the weights and biases."""
        return weights_of(self.sizes.layers)

    def forget(self) -> None:
        """Begin anew, from another start."""
        for kept in (self.parts, self.stages, self.keys, self.lengths):
            kept.clear()

    def learn(self, ran: Ran, name: str, fits: Callable[[Ran], Fit]) -> None:
        """Keep what a function returned: its arrays, their stages, the keys of its caches."""
        self.parts[name] = []
        for leaf in leaves(ran.answers[0][name]):
            value = ".".join((name, *leaf.way))
            self.parts[name].append((value, leaf.name))
            alone = tuple({value: value_of(value, {}, one)} for one in ran.answers)
            fit = fits(replace(ran, answers=alone))
            for stage, found in (("h", fit.h), ("p", fit.p)):
                self.stages[stage] = [*self.stages.get(stage, ()), *([value] if found else [])]
        for value, _ in [(name, ""), *self.subject.flow.values(name)]:
            whole = value_of(value, {}, ran.answers[0])
            if isinstance(whole, Mapping):
                self.keys[value] = frozenset(map(str, whole))
            elif isinstance(whole, tuple | list):
                self.lengths[value] = len(whole)

    def sure(self, chain: Chain, known: list[str], name: str) -> bool:
        """Whether the file says of every argument what it is."""
        flow = self.subject.flow
        return all(
            self.of(name, one.arg, known, chain)
            for one in flow.parameters(name)
            if one.arg not in flow.defaults(name)
        )

    def says(self, call: Call, known: Iterable[str]) -> bool:
        """Whether the file itself hands a function what it is handed here, as far as functions
        made it, or calls it so: no loss is taken for NaN of scores since its parameter is `p`."""
        flow = self.subject.flow
        made = [(name, value) for name, value in call.passed if value.split(".")[0] in known]
        return all(value in (*flow.handed.get((call.name, name), ()), *self.called(name, known))
                   for name, value in made)  # fmt: skip

    def called(self, parameter: str, known: Iterable[str]) -> list[str]:
        """The values that functions return under the name of a parameter, alone or in a cache."""
        flow, key = self.subject.flow, plain(parameter)
        found: list[str] = []
        for other in known:
            found += same_name(flow, other, parameter)
            found += [value for value, called in self.parts.get(other, ()) if plain(called) == key]
        return found

    def choices(self, name: str, parameter: str, known: list[str], chain: Chain) -> list[str]:
        """What one parameter may mean, the likeliest first; nothing where it may be left out."""
        found = self.of(name, parameter, known, chain)
        if found or parameter in self.subject.flow.defaults(name):
            return found
        made = [value for other in known for value, _ in self.subject.flow.values(other)]
        made += [value for other in known for value, _ in self.parts.get(other, ())]
        return list(dict.fromkeys(["x", "y", "labels", *made, *self.weights]))

    def is_unrolled(self, name: str) -> bool:
        """Whether a function takes weights in one vector."""
        given = [forms for (one, _), forms in self.subject.containers.items() if one == name]
        return any(isinstance(build, Unrolled) for forms in given for build in forms.values())

    def of(self, name: str, parameter: str, known: list[str], chain: Chain) -> list[str]:
        """What the file says that a parameter means: by its own calls, by the names of what its
        functions return, by what an earlier call was handed under that name, or by its own name.
        """
        flow, key = self.subject.flow, plain(parameter)
        if chain.mode.one_by_one and walks_pairs(flow.functions[name], parameter):
            return [PAIRS, PAIR]
        found = [
            one for one in flow.handed.get((name, parameter), ()) if one.split(".")[0] in known
        ]
        found += self.called(parameter, known)
        found += [value for call in chain.calls for one, value in call.passed if plain(one) == key]
        asked = self.subject.asked.get((name, parameter), frozenset())
        found += [value for value, keys in self.keys.items() if asked and asked <= keys]
        unpacked = unpacked_into(flow.functions[name], parameter)
        found += [value for value, length in self.lengths.items() if length == unpacked]
        quantity, given = certain(key, self.sizes.layers), {"x", "y", *self.weights}
        containers = self.subject.containers.get((name, parameter), {})
        forms = [one for one, build in containers.items() if isinstance(build, Unrolled)]
        if containers and (forms or quantity not in given):
            found += [one for one in known[:1] if one in self.built]
            found += containers
        if not containers and self.is_unrolled(name) and (size := size_named(key)):
            return [size]
        if not found and quantity not in given:
            if setting := setting_named(key):
                return [setting]
        if quantity in given:
            from_one = counts_from_one(flow.functions, name, parameter)
            labels = ["y", "labels", *([FROM_ONE] if from_one else [])]
            found += labels if quantity == "y" else [quantity]
        if not found:
            for one in [quantity] if quantity else possible(key, self.sizes.layers):
                found += [one] if one in given else self.stages.get(one[0], ())
        return list(dict.fromkeys(found))
