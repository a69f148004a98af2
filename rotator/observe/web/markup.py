"""HTML as a tree, so that there is no text in it that is not escaped."""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring


def element(tag: str, *children: Element | str, **attributes: object) -> Element:
    """An element. ``class_`` stands for ``class``, and ``view_box`` for ``view-box``."""
    names = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    made = Element(tag, names)
    last = None
    for child in children:
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + child
        else:
            last.tail = (last.tail or "") + child
    return made


def document(root: Element) -> bytes:
    """The whole of it, for a browser."""
    text = tostring(root, encoding="unicode", method="html")
    return f"<!doctype html>\n{text}\n".encode()
