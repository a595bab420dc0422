# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and changing one registry file: nested objects in which a quoted key may hold dots.

`{"pico": {"rcp": 1}}` and `{"pico.rcp": 1}` are two spellings of the property `pico.rcp`. Reads find either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mediationzone import hocon

Tree = dict[str, Any]


def walk(tree: Tree, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every node below the root with its path elements, objects included, parents first."""
    for key, value in tree.items():
        yield (*above, key), value
        if isinstance(value, dict):
            yield from walk(value, (*above, key))


def leaves(tree: Tree) -> dict[tuple[str, ...], Any]:
    """Path elements -> value of everything that is not an object."""
    return {path: value for path, value in walk(tree) if not isinstance(value, dict)}


def flatten(tree: Tree) -> dict[str, Any]:
    """Dotted name -> value, whatever the spelling."""
    return {".".join(path): value for path, value in leaves(tree).items()}


def get_object(tree: Tree, name: str) -> Tree | None:
    """The object of that dotted name, with flat keys that belong to it kept flat; None when nothing is there."""
    found: Tree | None = None
    for key, value in tree.items():
        part: Tree | None = None
        if key == name and isinstance(value, dict):
            part = value
        elif name.startswith(f"{key}.") and isinstance(value, dict):
            part = get_object(value, name[len(key) + 1 :])
        elif key.startswith(f"{name}."):
            part = {key[len(name) + 1 :]: value}
        if part is not None:
            found = {**(found or {}), **part}
    return found


def remove(tree: Tree, name: str) -> bool:
    """Remove the value or object of that dotted name in every spelling; parents left empty go too. True when something went."""
    removed = False
    for key, value in list(tree.items()):
        if key == name:
            del tree[key]
            removed = True
        elif name.startswith(f"{key}.") and isinstance(value, dict) and remove(value, name[len(key) + 1 :]):
            removed = True
            if not value:
                del tree[key]
    return removed


def assign(tree: Tree, path: list[str], value: Any) -> None:
    """Set a value under the spelling given; the same property in another spelling is replaced. Raises HoconError on a collision."""
    name = ".".join(path)
    if not isinstance(value, dict) and any(isinstance(node, dict) and ".".join(at) == name for at, node in walk(tree)):
        raise hocon.HoconError(f"{name} is an object and cannot also be a value; quote the longer names below it")
    remove(tree, name)
    hocon.put(tree, path, value)


def check(tree: Tree) -> None:
    """Raise HoconError when one name is both a value and an object: the reason why vendor examples quote `keystore.password`."""
    values = set(flatten(tree))
    for path, node in walk(tree):
        name = ".".join(path)
        if isinstance(node, dict) and name in values:
            raise hocon.HoconError(f"{name} is both a value and an object; quote the longer names below it")
