"""Fewer boxes for large graphs: one for all that a module does.

A module that runs, hands on, and runs again has a box for each time, since one box for
both would stand before and behind what lies between: no edge may lead back.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from minigrad.inspect.drawing.boxes import Box, Link, Picture

MANY: Final = 4
"""Times the limit from which on one box for all calls outside of modules is better."""


class Group(NamedTuple):
    """Boxes that are drawn as one.

    Attributes:
        key: its place in `Fold.groups`.
        title: path and class of the module, and "part i of n" if it has several boxes;
            "" for a box that stands for itself.
        boxes: in forward order.
        gradient: norm of what arrives from other groups, and from backward() itself.
    """

    key: int
    title: str
    boxes: tuple[Box, ...]
    gradient: float | None

    @property
    def folded(self) -> bool:
        """Whether it stands for a module."""
        return bool(self.title)

    def of_kind(self, *kinds: str) -> list[Box]:
        """List the boxes of these kinds."""
        return [box for box in self.boxes if box.kind in kinds]


class Bundle(NamedTuple):
    """The links from one group to another.

    Attributes:
        source, target: keys of the groups.
        links: what is drawn as one edge; one link between boxes that are not folded.
        tensors: how many results they come from.
        norm: of the gradient that flows over all of them: the root of the sum, over
            the results, of |sum of contributions|^2. None if there is none.
    """

    source: int
    target: int
    links: tuple[Link, ...]
    tensors: int
    norm: float | None


class Fold(NamedTuple):
    """A picture of groups; depth is that of the modules, None if nothing is folded."""

    groups: list[Group]
    bundles: list[Bundle]
    depth: int | None
    note: str


def fold(picture: Picture, depth: int | None, limit: int) -> Fold:
    """Fold to modules of a depth; None: as deep as leaves at most limit boxes.

    If none does, calls outside of modules are folded, too, once they are very many.
    """
    if depth is not None:
        return _or_whole(picture, _fold(picture, _Plan(depth, False), None))
    if len(picture.boxes) <= limit:
        return _whole(picture)
    paths = [box.module or "" for box in picture.boxes]
    best: Fold | None = None
    for at in range(max(len(path.split(".")) for path in paths) + 1):
        found = _fold(picture, _Plan(at, False), limit)
        if found is None:
            break
        best = found
    if best is None:
        best = _fold(picture, _Plan(0, False), MANY * limit)
    return _or_whole(picture, best or _fold(picture, _Plan(0, True), None))


def _or_whole(picture: Picture, found: Fold | None) -> Fold:
    if found is not None and any(group.folded for group in found.groups):
        return found
    return _whole(picture)


def _whole(picture: Picture) -> Fold:
    home = {box.key: box.key for box in picture.boxes}
    return _Folder(picture).finish(home, {}, None, "")


class _Plan(NamedTuple):
    """Fold modules to depth; whether calls outside of modules are folded, too."""

    depth: int
    outside: bool

    def title(self, box: Box) -> str | None:
        """Name the group of a call; None if it stands for itself."""
        if box.module is None:
            return "outside of modules" if self.outside else None
        path = box.module.split(".") if box.module else []
        return ".".join(path[: self.depth]) if len(path) >= self.depth else None


def _fold(picture: Picture, plan: _Plan, limit: int | None) -> Fold | None:
    """Fold by plan; None if that leaves more than limit boxes."""
    folder = _Folder(picture)
    home, paths = folder.calls(plan, limit)
    if limit is not None and len(paths) > limit:
        return None
    folder.others(home, paths)
    if limit is not None and len(set(home.values())) > limit:
        return None
    return folder.finish(home, paths, plan.depth, _note(picture, home, paths, plan))


def _note(
    picture: Picture, home: dict[int, int], paths: dict[int, str | None], plan: _Plan
) -> str:
    inside = [box for box in picture.boxes if paths.get(home[box.key]) is not None]
    calls = sum(box.kind == "call" for box in inside)
    groups = len({home[box.key] for box in inside})
    outside = " and outside of modules" if plan.outside else ""
    return (
        f"folded by module to depth {plan.depth}{outside}: "
        f"{_count(calls, 'kernel call')} and {_count(len(inside) - calls, 'tensor')} "
        f"are drawn as {_count(groups, 'box')}; boxes={len(picture.boxes)} draws each"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 'es' if what == 'box' else 's'}"


class _Folder:
    """Assigns boxes to groups, which bear numbers until they are sorted."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._into: dict[int, list[Link]] = {box.key: [] for box in picture.boxes}
        self._out: dict[int, list[Link]] = {box.key: [] for box in picture.boxes}
        for link in picture.links:
            self._into[link.consumer].append(link)
            self._out[link.source].append(link)

    def calls(
        self, plan: _Plan, limit: int | None
    ) -> tuple[dict[int, int], dict[int, str | None]]:
        """Group the calls: box -> group, group -> path (None: stands for itself)."""
        home: dict[int, int] = {}
        paths: dict[int, str | None] = {}
        latest: dict[str, int] = {}
        # Sets of groups as bits: those that a group depends on.
        above: list[int] = []
        for box in self._picture.boxes:
            if box.kind != "call":
                continue
            path = plan.title(box)
            before = {home[one.source] for one in self._into[box.key]
                      if one.source in home}  # fmt: skip
            group = latest.get(path) if path is not None else None
            if group is None or any(
                above[other] >> group & 1 for other in before - {group}
            ):
                group = len(above)
                above.append(0)
                paths[group] = path
                if path is not None:
                    latest[path] = group
                if limit is not None and group >= limit:
                    return home, paths
            home[box.key] = group
            _depend(above, group, before - {group})
        return home, paths

    def others(self, home: dict[int, int], paths: dict[int, str | None]) -> None:
        """Put each tensor to its only consumer, if that is folded, else by itself."""
        gathered: dict[int, int] = {}
        for box in self._picture.boxes:
            if box.kind == "call":
                continue
            users = {home[link.consumer] for link in self._out[box.key]}
            user = next(iter(users)) if len(users) == 1 else None
            if user is None or paths.get(user) is None:
                home[box.key] = _new(paths)
            elif box.kind not in ("input", "result"):
                home[box.key] = user
            else:
                # What comes from outside stays in sight, in one box for each group.
                if user not in gathered:
                    gathered[user] = _new(paths)
                home[box.key] = gathered[user]

    def finish(
        self,
        home: dict[int, int],
        paths: dict[int, str | None],
        depth: int | None,
        note: str,
    ) -> Fold:
        """Number the groups in forward order and bundle the links between them."""
        members: dict[int, list[Box]] = {}
        for box in self._picture.boxes:
            members.setdefault(home[box.key], []).append(box)
        place = {group: at for at, group in enumerate(members)}
        titles = self._titles([paths.get(group) for group in members])
        groups = [
            Group(at, title, tuple(boxes), self._arriving(boxes))
            for at, (title, boxes) in enumerate(
                zip(titles, members.values(), strict=True)
            )
        ]
        bundled: dict[Any, list[Link]] = {}
        for link in self._picture.links:
            ends = place[home[link.source]], place[home[link.consumer]]
            single = not any(groups[end].folded for end in ends)
            if ends[0] != ends[1]:
                bundled.setdefault((*ends, link.key if single else -1), []).append(link)
        bundles = [
            Bundle(source, target, tuple(links), *self._flow(links))
            for (source, target, _), links in bundled.items()
        ]
        return Fold(groups, bundles, depth, note)

    def _titles(self, paths: list[str | None]) -> list[str]:
        counts, seen = Counter(paths), Counter[str | None]()
        classes = self._picture.classes
        titles: list[str] = []
        for path in paths:
            seen[path] += 1
            if path is None:
                titles.append("")
                continue
            title = f"{path} {classes.get(path, '')}".strip() or "model"
            if counts[path] > 1:
                title += f", part {seen[path]} of {counts[path]}"
            titles.append(title)
        return titles

    def _flow(self, links: Iterable[Link]) -> tuple[int, float | None]:
        """Count the results that links come from; norm of the gradients over them."""
        results: dict[tuple[int, str], list[int]] = {}
        for link in links:
            keys = results.setdefault((link.source, link.field), [])
            if link.contribution is not None:
                keys.append(link.key)
        products = self._picture.products
        known = [
            products[at].norm(keys) for at, keys in results.items() if at in products
        ]
        return len(results), math.hypot(*known) if known else None

    def _arriving(self, boxes: list[Box]) -> float | None:
        """Return the norm of what comes to a group from outside."""
        inside = {box.key for box in boxes}
        links = [
            link
            for box in boxes
            for link in self._out[box.key]
            if link.consumer not in inside
        ]
        _, norm = self._flow(links)
        if self._picture.root in inside:
            root = self._picture.boxes[self._picture.root]
            dy = math.hypot(*(r.gradient.norm for r in root.results if r.gradient))
            return math.hypot(norm or 0.0, dy)
        return norm


def _new(paths: dict[int, str | None]) -> int:
    group = len(paths)
    paths[group] = None
    return group


def _depend(above: list[int], group: int, before: set[int]) -> None:
    """Note that group, and all that depend on it, depend on the groups before."""
    more = 0
    for other in before:
        more |= above[other] | 1 << other
    if more & ~above[group]:
        for at in range(len(above)):
            if at == group or above[at] >> group & 1:
                above[at] |= more
