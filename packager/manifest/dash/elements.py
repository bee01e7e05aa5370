"""XML elements, and the texts of durations in an MPD."""

from fractions import Fraction

from lxml import etree

from packager.timing.ticks import seconds


def child(parent: etree._Element, tag: str, **attributes: str | int) -> etree._Element:
    """A new last child of `parent`."""
    return etree.SubElement(parent, tag, {k: str(v) for k, v in attributes.items()})


def duration_text(value: Fraction) -> str:
    """`value` seconds as an xs:duration."""
    return f"PT{decimal_text(value)}S"


def decimal_text(value: Fraction) -> str:
    """`value` as a decimal number, to microseconds."""
    return seconds(value, 6).rstrip("0").rstrip(".")
