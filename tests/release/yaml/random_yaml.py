"""Random YAML as people write it, and as they should not: the same seed gives the same text."""

from __future__ import annotations

import random


def words(text: str) -> list[str]:
    """Return the words of a text; `&#32;` is a space inside one."""
    return [word.replace("&#32;", " ") for word in text.split(" ")]


# Plain scalars that two readers of YAML may take for different things.
PLAIN = (
    *words("y n Y on Off yes No TRUE true False ~ null Null NULL = << .inf -.Inf +.INF inf nan 0"),
    *words("1 -1 +1 017 0o17 0O17 08 0_8 0x1F 0X1f 0x_1 0b101 -0b11 0b+1 1_000 1__0 1_ _1 0x 0b"),
    *words("1,000 2,5,8,11 1_0,5 1:30 190:20:30 -1:20.5 1:99 9223372036854775807"),
    *words("9223372036854775808 18446744073709551615 18446744073709551616 -9223372036854775809"),
    *words("1.5 1. .5 .5_5 5_0.5 2.0 -0.0 1e3 1E+3 1e+06 1000000.0 999999.0 1234567.25 100000.0"),
    *words("1e20 1e21 1e-5 0.00001 1e400 1.2.3 12e4567 10.0.0.1 2026-11-23 2026-1-2 2026-13-01"),
    *words("2026-02-29 0000-01-01 2026-11-23T10:00:00Z 2026-11-23t1:2:3.5+02:00"),
    *words("2026-11-23T10:00:00-25:00 20261-1-1 :x ::1 ::1/128 : :: :a: a:b a#b #a - -a -- --- ?"),
    *words("?a + . .. ... e5 0.5s 5% a,b a=b a' a\" \\ a} é 变量 x y a\u200bb 🚀 ((x)) ((!x))"),
    *words("((gone)) a((x)) ((x))((y)) ((deep.k)) :((x)) ~x 0o8 1e NaN None nil tRue"),
    *("", "x\u00a0y", "a b", "a  b", "a # b", "a ", "2026-11-23 10:00:00"),
    *("2001-12-14 21:59:43.10 -5", "2026-11-23 10:00:00 Z", "(( x ))", "a (( x )) b", "((a b))"),
    *("word " * 30, "a: " + "long " * 20 + "end", "x" * 150, "'" + "word " * 25, "w  " * 40),
)  # fmt: skip
# Texts that cannot stand without quotes.
QUOTED = (
    *words("@a `a %a !a &a *a |a >a 'a \"a {a} [a] }a ]a ,a - : ? -a: [ {"),
    *(" ", "a: b", "- a", " a", "? a", "a: "),
)  # fmt: skip
ESCAPES = (
    *(r"\n", r"\t", r"\\", r"\"", r"\x41", r"\u00e9", r"\U0001F680", r"\ ", r"\0", r"\e", r"\r"),
    *(r"\a", r"\N", r"\_", r"\L", r"\P", r"\xff", "a", "b ", " ", ": ", "#", "-", "word " * 9),
    *("\n  ", "\\\n  ", "\n\n    ", "\t", "a", "b"),
)
WRONG_ESCAPES = (r"\/", r"\q", r"\ud800")
BINARY = ("aGk=", "/w==", "gIGCgw==", "CgoK", "aG k=", "aGk", "=", "DQo=", "/" * 80 + "/w==")
TAGS = ("!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!a", "!!a", "!", "!!set")
KEYS = (
    *words("a b c name value key a1 a2 a10 a02 A Z _x é a.b a-b y n on null ~ 1 1.0 0x1 1e6 true"),
    *words("-1 2026-11-23 1,000 :s = 'y' '1' \"true\" '' \"\\x01\" '<<' !!str&#32;1 ((x)) ((!x))"),
    *("a b", "!!int '2'", "!!binary YQ==", "&k kk", "k" * 130, "? ", "k((x))", ".inf"),
)  # fmt: skip
LINES = ("text", "more text", "- a", "# no", "k: v", "a\tb", " lead", "\tlead", "trail ", "é", "")


class YamlWriter:
    """Makes documents from one source of randomness; anchors `a` and `b` are maps."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._choice = source.choice

    def _likely(self, share: float) -> bool:
        return self._random.random() < share

    def plain(self) -> str:
        """Return a plain scalar; the odder ones are rarer."""
        if self._likely(0.01):
            return self._choice(QUOTED)
        return self._choice(PLAIN if self._likely(0.5) else PLAIN[:90])

    def _quoted(self) -> str:
        return self._choice(QUOTED) if self._likely(0.2) else self.plain()

    def scalar(self) -> str:
        """Return a scalar on one line in any style."""
        kind = self._random.random()
        if kind < 0.5:
            return self.plain()
        if kind < 0.65:
            return "'" + self._quoted().replace("'", "''") + "'"
        if kind < 0.78:
            return '"' + self._quoted().replace("\\", r"\\").replace('"', r"\"") + '"'
        if kind < 0.86:
            parts = [self._choice(ESCAPES) for _ in range(self._random.randint(0, 5))]
            wrong = self._choice(WRONG_ESCAPES) if self._likely(0.05) else ""
            return f'"{"".join(parts)}{wrong}"'
        if kind < 0.92:
            tag = self._choice(TAGS) if self._likely(0.2) else self._choice(("!!str", "!a", "!"))
            return f"{tag} {self._choice((self.plain(), repr(self.plain())))}"
        if kind < 0.95:
            return f"!!binary {self._choice(BINARY if self._likely(0.3) else BINARY[:4])}"
        return self._choice(("*a", "*b", "*a", "&c 5") if self._likely(0.95) else ("*gone", "*c"))

    def flow(self, depth: int) -> str:
        """Return a value in flow style."""
        if depth == 0 or self._likely(0.4):
            return self._choice((self.scalar(), "a", "1", "''", "b c"))
        inner = [self.flow(depth - 1) for _ in range(self._random.randint(0, 3))]
        if self._likely(0.5):
            return (
                "[" + self._choice((", ", ",", ",\t")).join(inner) + self._choice(("]", " ]", ",]"))
            )
        pairs = [
            self._choice(KEYS[:20]) + self._choice((": ", ": ", ":\t")) + value for value in inner
        ]
        return "{" + ", ".join(pairs) + "}"

    def block_scalar(self, indent: int) -> str:
        """Return a literal or folded scalar with its lines."""
        header = self._choice("|>") + self._choice(("", "", "-", "+", "2", "1+", "-2"))
        pad = " " * self._choice((indent, indent, indent + 1))
        lines = [
            self._choice((pad + self._choice(LINES), pad + "text", "", pad))
            for _ in range(self._random.randint(0, 4))
        ]
        return "\n".join([header + self._choice(("", "", " # why", "  ")), *lines])

    def value(self, indent: int, depth: int) -> str:
        """Return what stands behind `key:` or `-`, with the space between."""
        kind = self._random.random()
        space = self._choice((" ", " ", " ", " ", "\t", "  "))
        anchor = self._choice(("", "", "", "", "", " &a", " &b", " !a"))
        if depth == 0 or kind < 0.5:
            return space + self.scalar() + self._choice(("", "", "", "", " # why", "\t# why", " "))
        if kind < 0.58:
            return space + self.block_scalar(indent + 2)
        if kind < 0.66:
            return space + self.flow(2)
        if kind < 0.69:
            return ""
        if kind < 0.88:
            return f"{anchor}\n{self.mapping(indent + 2, depth - 1)}"
        return f"{anchor}\n{self.sequence(indent + self._choice((0, 2)), depth - 1)}"

    def mapping(self, indent: int, depth: int) -> str:
        """Return lines of a block mapping."""
        pad, entries = " " * indent, []
        for _ in range(self._random.randint(1, 4)):
            kind = self._random.random()
            key = self._choice(KEYS if self._likely(0.4) else KEYS[:12])
            if kind < 0.06:
                sources = ("*a", "*b", "[*a, *b]", "{a: 1, z: 2}", "[{a: 1}, *b]", "*a", "1")
                source = self._choice(sources[:6] if self._likely(0.8) else sources)
                entries.append(f"{pad}<<: {source}")
            elif kind < 0.1:
                entries.append(
                    # NaN as a key would make the CLI loop for ever
                    self._choice(
                        (f"{pad}# why", "", f"{pad}? {self.scalar()}\n{pad}: 1", f"{pad}nan: .NaN")
                    )
                )
            else:
                colon = self._choice((":", ":", ":", ":", " :"))
                entries.append(f"{pad}{key}{colon}{self.value(indent, depth)}")
        return "\n".join(entries)

    def sequence(self, indent: int, depth: int) -> str:
        """Return lines of a block sequence."""
        pad, items = " " * indent, []
        for _ in range(self._random.randint(1, 3)):
            if depth and self._likely(0.3):
                items.append(f"{pad}- {self.mapping(indent + 2, depth - 1).lstrip(' ')}")
            else:
                items.append(f"{pad}-{self.value(indent, depth)}")
        return "\n".join(items)

    def document(self) -> str:
        """Return a whole file."""
        depth = self._random.randint(0, 3)
        body = self.mapping(0, depth) if self._likely(0.95) else self.value(0, depth).lstrip()
        if self._likely(0.7):
            body = f"base: &a {{x: 1, k: v}}\nmore: &b {{x: 2, l: [1]}}\n{body}"
        if self._likely(0.05):
            body = (
                self._choice(
                    (
                        "---\n",
                        "--- # why\n",
                        "%YAML 1.1\n---\n",
                        "%YAML 1.2\n---\n",
                        "\ufeff",
                        "--- !a\n",
                        "%X y\n---\n",
                    )
                )
                + body
            )
        if self._likely(0.06):
            body += self._choice(
                ("\n---\nb: 2", "\n...\n", "\n---\n@", "\n...\n---\n- 1", "\n--- 5")
            )
        if self._likely(0.04):
            body = body.replace("\n", self._choice(("\r\n", "\r")))
        if self._likely(0.03):
            at = self._random.randrange(len(body) + 1)
            body = body[:at] + self._choice("\t \n'\"#:-\\{\x01\x7f\u2028\u0085") + body[at:]
        return body + self._choice(("\n", "\n", ""))
