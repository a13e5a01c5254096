"""Random cases for `bosh interpolate`: a manifest, ops files and values of variables."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.release.yaml.random_yaml import YamlWriter, words

SEGMENTS = (
    *words("a b c name list list2 map deep gone a? gone? new? list? map? 0 1 2 -1 -2 -3 5 - -?"),
    *words("+1 00 name=one name=two name=three name=gone name=gone? name=one? name=two:next"),
    *words("name=two:prev 0:before 0:after -1:after 1:prev 0:next name=one:after name=two:before"),
    *words("0:after:next 1:prev:before a:next -:before 0:foo n~1m til~0de c~7d k=v= ~ ~2 y 1.0"),
    *words("null variables"),
    "", " ",
)  # fmt: skip
PATHS = (
    *words("/a /b /new? /c/y /c/n~1m /c/til~0de /c/c~7d /list/0 /list/-1 /list/- /list/name=one"),
    *words("/list/name=one/a /list/name=two/list/- /list/name=two/list/1:before /list/2/0"),
    *words("/list?/- /list/name=two:after /list/name=one:next/list/0 /list/name=two:next/0"),
    *words("/list/name=new?/x /list2/0/1 /list2/1/-1:after /list2/- /list2/2:prev:before"),
    *words("/map/a/b/c /map/deep?/x/y /map/deep/list/name=one/k? /map/new?/- /map/new?/name=q/z"),
    *words("/map/k=v= /list/name=three"),
)  # fmt: skip
ROOTS = ("/list", "/map", "/list/name=one", "/list/name=two", "/list2", "/list2/1", "/map/deep", "")
ROOT_ODDS = 0.8
VALUES = (
    *words("1 1.0 2.0 true y \"1\" null Null ~ \"\" text [] {} [1,2] {a:&#32;1} 1e6 ((x))"),
    *words("\"a\\nb\" \"\\r\\nx\" !!binary&#32;/w== 2026-11-23 :s 1,000 '~' \"null\" !a&#32;b .5"),
    *words("<<"),
)  # fmt: skip
BASE = """\
a: 1
b: ((x))
c: {y: 1, 1.0: f, n/m: 3, til~de: 4, "c:d": 5, null: 6, "<": 7}
list:
- {name: one, a: 1, map: {a: [1, 2]}}
- {name: two, list: [1, 2, 3]}
- [1, {name: one}]
- name: three
list2: [[1, 2], [3, 4], text, null, 1.0]
map: {a: {b: {c: 1}}, deep: {list: [{name: one}]}, k=v=: 1}
"""
NAMES = ("x", "y", "deep", "n", "a-b", "é", "x.y", "d.e", "1", "null", "a/b", "list", "~")
VARIABLE_VALUES = (
    *words("1 1.5 true null text 'quoted' ((y)) ((x)) [1,two] {k:&#32;v} 2.0 1e20 :s 1,000 ~ y"),
    *("a ((y)) b", "'((y))'", "((", "))", "x))", "2026-11-23", "{k: {l: [1, {m: 2}], '0': z}}"),
    *("!!binary /w==", "line 1\nline 2", "|\n  a\n  b", "{k: ((y))}", '"a\\tb"', "2" * 20),
)  # fmt: skip
REFERENCES = (
    *words("((x)) ((y)) ((deep.k)) ((deep.k.l.0)) ((deep.k.l.-1)) ((deep.k.0)) ((deep.gone))"),
    *words("((x.y)) ((gone)) ((!x)) ((n)) ((a-b)) ((é)) ((d.e)) ((1)) ((null)) ((a/b))"),
    *words("((list.0)) ((list.-)) ((x))((y)) ((x))-((y)) a((x))b ((x))((x)) ((y))((x)) (((x)))"),
    *words("((((x)))) ((x)y)) ((²)) ((٣))"),
    *("(( x ))", "((x ))", "a (( x )) b", "(( !x ))", "((! x))", "((x))((gone))", "((x)) (( x ))"),
)  # fmt: skip
DEFINITIONS = (
    "{name: x, type: password}", "{name: y, type: certificate, options: {ca: ((x))}}", "{name: n}",
    "{name: x, type: a, options: {b: ((gone))}}", "{name: gone, type: a}", "{name: 1}", "{type: a}",
    "{name: deep, type: a, options: [((y)), ((n))]}", "{name: x, options: ((x))}", "null", "text",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What `bosh interpolate` is given."""

    manifest: str
    ops: tuple[str, ...] = ()
    vars_files: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()
    var_files: dict[str, str] = field(default_factory=dict)

    def arguments(self, folder: Path) -> list[str]:
        """Write the files and return the command line's arguments."""
        folder.mkdir()
        arguments = [_written(folder / "manifest.yml", self.manifest)]
        for number, text in enumerate(self.ops):
            arguments += ["-o", _written(folder / f"ops{number}.yml", text)]
        for number, text in enumerate(self.vars_files):
            arguments += ["-l", _written(folder / f"vars{number}.yml", text)]
        for number, (name, text) in enumerate(self.var_files.items()):
            arguments += ["--var-file", f"{name}={_written(folder / f'file{number}', text)}"]
        for assignment in self.assignments:
            arguments += ["-v", assignment]
        return arguments


def _written(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    return str(path)


def random_case(seed: str) -> Case:
    """Return a case; the same for the same seed."""
    source = random.Random(seed)
    kind = source.random()
    if kind < 0.45:
        return Case(YamlWriter(source).document(), vars_files=("x: 1\ny: ((x))\ndeep: {k: 2.0}\n",))
    if kind < 0.75:
        return Case(_manifest(source), tuple(_ops(source) for _ in range(source.randint(1, 2))))
    return Case(
        _manifest(source) + _references(source),
        tuple(_ops(source) for _ in range(source.choice((0, 0, 0, 1)))),
        tuple(_vars_file(source) for _ in range(source.randint(0, 2))),
        tuple(_assignment(source) for _ in range(source.randint(0, 3))),
        {"file": source.choice(("text\n", "((x))", "\r\n", "é"))} if source.random() < 0.2 else {},
    )


def _manifest(source: random.Random) -> str:
    return BASE if source.random() < 0.8 else BASE + YamlWriter(source).mapping(0, 1) + "\n"


def _references(source: random.Random) -> str:
    lines = ["refs:"]
    for _ in range(source.randint(1, 5)):
        text = json.dumps(source.choice(REFERENCES), ensure_ascii=False)
        lines.append(source.choice((f"- {text}", f"- {text}", f"- {{{text}: 1}}", f"- k: {text}")))
    if source.random() < 0.3:
        count = source.randint(1, 2)
        lines += ["variables:", *(f"- {source.choice(DEFINITIONS)}" for _ in range(count))]
    return "\n".join(lines) + "\n"


def _value(source: random.Random) -> str:
    if source.random() < 0.75:
        return source.choice(VALUES)
    return YamlWriter(source).scalar()


def _ops(source: random.Random) -> str:
    if source.random() < 0.05:
        return source.choice(("", "# nothing\n", "--- []\n", "{}", "null", "text", "- \n", "- 1\n"))
    operations = [_operation(source) for _ in range(source.randint(1, 2))]
    return "".join("- " + "\n  ".join(lines) + "\n" for lines in operations)


def _operation(source: random.Random) -> list[str]:
    kind = source.choices(("replace", "remove", "test"), (6, 2, 1))[0]
    path = source.choice(PATHS)
    if source.random() < 0.35:
        root = source.choice(ROOTS) if source.random() < ROOT_ODDS else ""
        parts = source.choices(SEGMENTS, k=source.choice((0, 1, 1, 2)))
        path = root + "".join(f"/{part}" for part in parts)
    lines = [f"type: {kind}", f"path: {json.dumps(path)}"]
    if kind != "remove" or source.random() < 0.05:
        lines.append(f"value: {_value(source)}")
    if kind == "test" and source.random() < 0.5:
        lines[-1] = (
            f"absent: {source.choice(('true', 'true', 'yes', 'false', 'null', 'Null', '1'))}"
        )
    if source.random() < 0.12:
        lines.append(
            source.choice(
                ("unknown: [*gone2]", "vlaue: 1", "error: why", "error: [1]", "type: replace",
                 "value: null", "value: 7", "path: /a", "path: ~", "absent: true", "? [a]\n  : 1",
                 "<<: {type: replace, path: /new?, value: 1}", "1: 2", "y: n", "type: !!str test",
                 "type: 5", "path: NULL", "path: 'null'")
            )
        )  # fmt: skip
        if "*gone2" in lines[-1] and source.random() < 0.9:
            lines[-1] = "unknown: {release: cpi, n: [1]}"
    if source.random() < 0.04:
        lines.pop(source.randrange(len(lines)))
    return lines or ["type: remove"]


def _vars_file(source: random.Random) -> str:
    if source.random() < 0.06:
        return source.choice(("", "# none\n", "- 1\n", "text\n", "~\n", "{}\n", "? [a]\n: 1\n"))
    names = source.sample(NAMES, source.randint(1, 5))
    return "".join(f"{name}: {_variable_value(source)}\n" for name in names)


def _variable_value(source: random.Random) -> str:
    value = source.choice(VARIABLE_VALUES)
    if "\n" in value and not value.startswith("|"):
        return json.dumps(value)
    return value


def _assignment(source: random.Random) -> str:
    if source.random() < 0.05:
        return source.choice(("x", "=1", "x=", "x=a=b", "x='", "x=[", "x=\t1", "x= 1", "x='a' "))
    name = source.choice(NAMES[:8])
    return f"{name}={source.choice(VARIABLE_VALUES)}"
