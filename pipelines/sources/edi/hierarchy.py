"""HL loops as a tree: parents by HL02 where given, else by the usual order of levels.

Shipment, order, tare, pack and item may nest in any order (S-O-I, S-O-P-I, S-O-T-P-I, S-O-I-P …), and
segments of one parent need not stand together nor behind it, so only HL02 says what belongs to what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pipelines.sources.edi.document import at

_RANKS: Final = {"S": 0, "O": 1, "T": 2, "P": 3, "I": 4}


@dataclass(slots=True)
class Node:
    """One HL loop.

    Attributes:
        offset: Offset of the HL from the ST.
        level: HL03.
        parent: The loop it belongs to; None at the top.
        segments: Its own segments with their offsets, the HL left out.
        children: Loops that name it as their parent.
    """

    offset: int
    level: str
    parent: Node | None
    segments: list[tuple[int, list[str]]] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def line_up(self) -> Iterator[Node]:
        """Walk from this loop to the top."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def first(self, name: str) -> list[str]:
        """Return the first own segment of a name, or an empty one."""
        return next((segment for _, segment in self.segments if segment[0] == name), [])

    def nearest(self, name: str) -> list[str]:
        """Return the first segment of a name here or further up, or an empty one."""
        return next((found for node in self.line_up() if (found := node.first(name))), [])


def read_tree(segments: list[list[str]]) -> tuple[list[tuple[int, list[str]]], list[Node]]:
    """Return the segments before the first HL and all loops in file order."""
    head: list[tuple[int, list[str]]] = []
    nodes: list[Node] = []
    by_id: dict[str, Node] = {}
    orphans: list[tuple[Node, str]] = []
    for offset, segment in enumerate(segments):
        if segment[0] == "HL":
            node = Node(offset, at(segment, 3), _parent(segment, nodes, by_id))
            if node.parent is not None:
                node.parent.children.append(node)
            elif at(segment, 2):
                orphans.append((node, at(segment, 2)))
            # A loop that repeats an id hides the older one only for what follows it.
            by_id[at(segment, 1)] = node
            nodes.append(node)
        elif segment[0] in ("CTT", "SE"):
            break
        else:
            (nodes[-1].segments if nodes else head).append((offset, segment))
    for node, named in orphans:
        _adopt(node, by_id.get(named))
    return head, nodes


def _adopt(node: Node, parent: Node | None) -> None:
    """Hang a loop below a parent that came after it, unless that one hangs below it itself."""
    if parent is not None and all(above is not node for above in parent.line_up()):
        node.parent = parent
        parent.children.append(node)


def _parent(segment: list[str], nodes: list[Node], by_id: dict[str, Node]) -> Node | None:
    named = at(segment, 2)
    if named:
        return by_id.get(named)
    rank = _RANKS.get(at(segment, 3), len(_RANKS))
    return next((node for node in reversed(nodes) if _RANKS.get(node.level, len(_RANKS)) < rank), None)
