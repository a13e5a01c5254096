"""Makes odd release folders from a seed, for comparing our build with the BOSH CLI's."""

from __future__ import annotations

import os
import random
from pathlib import Path

import yaml

from bosh_release.source.globbing import glob

_NAMES = [
    *("a", "b", "c", "d", "a-b", "a.b", "A", "Zed", "ü", "日本", ".dot", "with space", "x" * 110),
    *("[br]", "{c}", "st*r", "q?", "back\\slash", "-dash", "~", "'q'", '"dq"', "null", "1e3"),
    *("new\nline", os.fsdecode(b"\xff\xfe")),
]
_PATTERNS = [
    *("**/*", "*", "**", "a/**/*", "a/*", "[a-z]*", "[^a]*", "{a,b}*", "{a,b/**}/*", "**/a*"),
    *("*/b", "a?b", "\\[br\\]", "st\\*r", "**/.dot", "a/../b/*", "./a", "a//b", "*/*", "**/*/*"),
    *("**/**/a", "a", "b", "d/**", "{a,}*", "**/{a,b,c}", "[[]*", "*-*", "{a,{b,c}}", "日*"),
]
_MALFORMED = ["[", "{a", "a[", "[-]", "*/[x", "**/[x", "{x,a[}", "[a-", "[^]"]
_TARGETS = ["a", "b", "./a", "../a", "nowhere", "/etc/hostname", "a/b", "x" * 105]
_RELEASE_NAMES = [
    *("rel", "123", "1e5", "2026-01-01", "y", "null x", "a: b", "ü", "- a", "0x1F", "1_000"),
    *("12:30:45", "=", ".5", "08", "true", "!x", "&y", "*z", "a #b", "it's", "tab\tx"),
]
_SCRIPTS = [
    "echo made > made\n",
    "mkdir -p m/n; echo 1 > m/n/o; ln -s o m/n/l; chmod 700 m\n",
    "echo 1 > h1; ln h1 h2\n",
]


def make_tree(seed: int, folder: Path) -> Path:
    """Make a release folder; the same seed makes the same one."""
    chance = random.Random(seed)
    _fill(chance, folder / "src", 2, links=chance.random() < 0.6)
    _remove_traps(folder / "src")
    blobs = _make_blobs(chance, folder)
    _write_yaml(folder / "config" / "blobs.yml", blobs)
    final: dict[str, object] = {"name": chance.choice(_RELEASE_NAMES)}
    if chance.random() < 0.1:
        final["no_compression"] = True
    _write_yaml(folder / "config" / "final.yml", final)
    packages = _make_packages(chance, folder)
    for number in range(chance.randint(0, 2)):
        _make_job(chance, folder, f"j{number}", packages)
    for name in chance.sample(
        ["LICENSE", "LICENSE.md", "NOTICE", "NOTICE-ü"], chance.randint(0, 3)
    ):
        path = folder / name
        if chance.random() < 0.2:
            path.symlink_to(chance.choice(["config/final.yml", "nowhere"]))
        else:
            _write(path, name, chance.choice([0o644, 0o755]))
    return folder


def _fill(chance: random.Random, folder: Path, depth: int, *, links: bool) -> None:
    folder.mkdir(parents=True)
    for name in chance.sample(_NAMES, chance.randint(1, 5)):
        path = folder / name
        kind = chance.random()
        if kind < 0.3 and depth:
            _fill(chance, path, depth - 1, links=links)
        elif kind < 0.45 and links:
            path.symlink_to(chance.choice(_TARGETS))
        else:
            modes = [0o644, 0o600, 0o755, 0o700, 0o444, 0o664, 0o777, 0o4755]
            if chance.random() < 0.02:
                modes = [0o645]
            content = chance.randbytes(chance.choice([0, 1, 511, 512, 513, 3000])).hex()
            _write(path, content, chance.choice(modes))


def _remove_traps(folder: Path) -> None:
    """Remove links to folders with links in them: there the CLI's result is a matter of chance."""
    links = [path for path in sorted(folder.rglob("*")) if path.is_symlink()]
    for link in links:
        if link.is_dir() and any(path.is_symlink() for path in link.resolve().rglob("*")):
            link.unlink()


def _make_blobs(chance: random.Random, folder: Path) -> dict[str, object]:
    if chance.random() < 0.4:
        return {}
    _fill(chance, folder / "blobs", 1, links=False)
    names = [
        str(path.relative_to(folder / "blobs"))
        for path in sorted((folder / "blobs").rglob("*"))
        if path.is_file()
    ]
    # YAML cannot name the ones that are not UTF-8; a few others are left out too
    named = [name for name in names if name.isprintable() and chance.random() < 0.9]
    return {name: {"size": 1, "sha": "x"} for name in named}


def _make_packages(chance: random.Random, folder: Path) -> list[str]:
    names: list[str] = []
    fitting = [pattern for pattern in _PATTERNS if _matches_a_file(folder / "src", pattern)]
    for number in range(chance.randint(1, 3)):
        package = folder / "packages" / f"p{number}"
        name = chance.choice([f"p{number}", f"p-{number}", f"p.{number}", f"{number}"])
        spec: dict[str, object] = {"name": name}
        if chance.random() < 0.9:
            # a pattern that matches nothing is an error: mostly take others
            patterns = fitting if fitting and chance.random() < 0.95 else _PATTERNS
            spec["files"] = chance.choices(patterns, k=chance.randint(1, 3))
        if chance.random() < 0.06:
            spec["files"] = [chance.choice(_MALFORMED)]
        if chance.random() < 0.4:
            spec["excluded_files"] = chance.choices(_PATTERNS, k=chance.randint(1, 2))
        if names and chance.random() < 0.5:
            spec["dependencies"] = chance.sample(names, chance.randint(1, len(names)))
        if chance.random() < 0.1:
            spec["no_compression"] = True
        _write_yaml(package / "spec", spec)
        _write(package / "packaging", "true\n", chance.choice([0o644, 0o755, 0o600]))
        if chance.random() < 0.2:
            _write(package / "pre_packaging", chance.choice(_SCRIPTS), 0o644)
        names.append(name)
    return names


def _matches_a_file(root: Path, pattern: str) -> bool:
    return any(path.is_file() for path in glob(root, pattern))


def _make_job(chance: random.Random, folder: Path, name: str, packages: list[str]) -> None:
    job = folder / "jobs" / name
    templates = chance.sample(["t.erb", "sub/u.erb", "ü.erb", "x y.erb"], chance.randint(1, 4))
    for template in templates:
        _write(job / "templates" / template, "x\n", chance.choice([0o644, 0o755]))
    if chance.random() < 0.3:
        (job / "templates" / "link.erb").symlink_to(templates[0])
        templates.append("link.erb")
    if chance.random() < 0.8:
        _write(job / "monit", "m", 0o644)
    if chance.random() < 0.2:
        _write(job / "properties_schema.json", "{}", 0o644)
    spec = {
        "name": name,
        "templates": {template: f"bin/{template}" for template in templates},
        "packages": chance.sample(packages, chance.randint(0, len(packages))),
    }
    _write_yaml(job / "spec", spec)


def _write(path: Path, content: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


def _write_yaml(path: Path, value: object) -> None:
    _write(path, yaml.safe_dump(value, allow_unicode=True), 0o644)
