"""How a layer's marks look, said once for the map and its legend.

A symbol names a shape, a colour of `porchlight.css` and what it is filled with; `map/marks.js` draws
it. What differs in meaning differs in shape or filling too, since one reader in twelve can not rely on
colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict


class Symbol(TypedDict, total=False):
    """A mark, or a part of one that a rule adds to what the rules before it said.

    Sizes and widths are CSS pixels. A mark has a `shape`; a line or an area has none. `colour` is the
    name of a `--mark-...` property, `icon` a path below the static folder.
    """

    shape: Literal["circle", "square", "diamond", "triangle", "pentagon", "star", "cross"]
    colour: str
    size: float
    filled: bool
    inside: Literal["", "dot", "tick", "slash", "cross"]
    icon: str
    width: float
    dash: tuple[float, ...]
    opacity: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A part of a symbol and the features it is for.

    Attributes
    ----------
    symbol : Symbol
        What the rule adds.
    when : mapping of str to tuple of str
        Attribute of the feature to the values that fit. Empty fits every feature.
    label : str or None
        What the legend says of it, to be translated where shown; None keeps it out of the legend.
    """

    symbol: Symbol
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label: str | None = None
