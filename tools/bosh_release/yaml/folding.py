"""Puts scalars of YAML onto lines, as go-yaml v2 does: where they break, what is escaped."""

from __future__ import annotations

from bosh_release.yaml.scalar_style import BREAKS, is_printable

_WIDTH = 80
_BYTE_ORDER_MARK = "\ufeff"
_ESCAPES = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r",
    "\x1b": "e", '"': '"', "\\": "\\", "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P",
}  # fmt: skip


class Lines:
    """The text so far, and what stands on its last line.

    `only_indent` tells whether that is nothing but spaces and indicators such as `- `, behind
    which a collection may begin.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._column = 0
        self._ends_in_space = True
        self.only_indent = True

    def text(self) -> str:
        """Return all that was written."""
        return "".join(self._parts)

    @property
    def is_full(self) -> bool:
        """Tell whether the line should break at the next space."""
        return self._column > _WIDTH

    def put(self, text: str) -> None:
        """Write text without line ends."""
        self._parts.append(text)
        self._column += len(text)

    def end(self, line_end: str = "\n") -> None:
        """End the line."""
        self._parts.append(line_end)
        self._column = 0

    def indent(self, indent: int) -> None:
        """Go to this column, on a new line unless the last one has nothing there yet."""
        is_there = self._column == indent and not self._ends_in_space
        if not self.only_indent or self._column > indent or is_there:
            self.end()
        self.put(" " * (indent - self._column))
        self._ends_in_space = self.only_indent = True

    def indicator(self, text: str, *, apart: bool = True, keeps_indent: bool = False) -> None:
        """Write an indicator; `apart` from what stands before it."""
        if apart and not self._ends_in_space:
            self.put(" ")
        self.put(text)
        self._ends_in_space = False
        self.only_indent = self.only_indent and keeps_indent

    def content(self, *, is_space: bool = False, is_indent: bool = False) -> None:
        """Note that content was written, and what it ends in."""
        self._ends_in_space = is_space
        self.only_indent = is_indent


def write_plain(lines: Lines, text: str, indent: int, *, may_fold: bool) -> None:
    """Write a text without quotes; it has no line ends."""
    lines.indicator("")
    _fold(lines, text, indent, may_fold=may_fold, quote="'")
    lines.content()


def write_single(lines: Lines, text: str, indent: int, *, may_fold: bool) -> None:
    """Write a text in single quotes; it has no line feeds."""
    lines.indicator("'")
    _fold(lines, text, indent, may_fold=may_fold, quote="''")
    lines.indicator("'", apart=False)


def _fold(lines: Lines, text: str, indent: int, *, may_fold: bool, quote: str) -> None:
    was_space = was_break = False
    for position, character in enumerate(text):
        if character in BREAKS:
            lines.end(character)
            lines.content(is_indent=True)
            was_break = True
        elif character == " ":
            inside = 0 < position < len(text) - 1 and text[position + 1] != " "
            if may_fold and lines.is_full and inside and not was_space:
                lines.indent(indent)
            else:
                lines.put(" ")
            was_space = True
        else:
            if was_break:
                lines.indent(indent)
            lines.put(quote if character == "'" else character)
            lines.content()
            was_space = was_break = False


def write_double(lines: Lines, text: str, indent: int, *, may_fold: bool) -> None:
    """Write a text in double quotes, with escapes."""
    lines.indicator('"')
    all_escaped = text.startswith(_BYTE_ORDER_MARK)  # go-yaml means this one character only
    was_space = False
    for position, character in enumerate(text):
        is_special = character in BREAKS or character in '"\\' or not is_printable(character)
        if is_special or all_escaped:
            lines.put(f"\\{_escape(character)}")
            was_space = False
        elif character == " ":
            inside = 0 < position < len(text) - 1
            if may_fold and lines.is_full and inside and not was_space:
                lines.indent(indent)
                lines.put("\\" if text[position + 1] == " " else "")
            else:
                lines.put(" ")
            was_space = True
        else:
            lines.put(character)
            was_space = False
    lines.indicator('"', apart=False)


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code <= 0xFF:
        return f"x{code:02X}"
    return f"u{code:04X}" if code <= 0xFFFF else f"U{code:08X}"


def write_literal(lines: Lines, text: str, indent: int, *, may_fold: bool) -> None:  # noqa: ARG001
    """Write a text as it is below a `|`, which says what becomes of its last line ends."""
    lines.indicator(f"|{'2' if text[0] == ' ' or text[0] in BREAKS else ''}{_chomping(text)}")
    lines.end()
    lines.content(is_space=True, is_indent=True)
    was_break = True
    for character in text:
        if character in BREAKS:
            lines.end(character)
            lines.content(is_space=True, is_indent=True)
            was_break = True
            continue
        if was_break:
            lines.indent(indent)
        lines.put(character)
        lines.content(is_space=True)
        was_break = False


def _chomping(text: str) -> str:
    if text[-1] not in BREAKS:
        return "-"
    return "+" if len(text) == 1 or text[-2] in BREAKS else ""
