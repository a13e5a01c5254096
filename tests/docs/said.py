"""What the agent's code says to people, as patterns: read from its source, not by running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.paths import ROOT

SOURCES = ROOT / "release/src/slb_registration"
HOLE = "…"
"""Stands for what differs each time."""

Tree = ast.AST
Scopes = tuple[ast.AST, ...]
"""The module and the functions around a node, the innermost last."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the agent by its name (`membership.startup`)."""
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCES).with_suffix("").parts)
        found[name] = ast.parse(path.read_text())
    return found


def module(name: str) -> ast.Module:
    """The module of this name."""
    return modules()[name]


def walked(tree: ast.AST, scopes: Scopes = ()) -> Iterator[tuple[ast.AST, Scopes]]:
    """Every node with what is around it."""
    yield tree, scopes
    inside = isinstance(tree, (ast.Module, ast.FunctionDef))
    for child in ast.iter_child_nodes(tree):
        yield from walked(child, (*scopes, tree) if inside else scopes)


def words(node: ast.expr, scopes: Scopes) -> set[str]:
    """The texts that an expression may be, with holes; {HOLE} where it is not written there."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else {HOLE}
    if isinstance(node, ast.JoinedStr):
        return _joined([words(part, scopes) for part in node.values])
    if isinstance(node, ast.FormattedValue):
        return words(node.value, scopes) if isinstance(node.value, ast.Name) else {HOLE}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([words(node.left, scopes), words(node.right, scopes)])
    if isinstance(node, ast.IfExp):
        either = words(node.body, scopes) | words(node.orelse, scopes)
        return {HOLE} if "" in either else either  # what may be left out
    if isinstance(node, ast.Name):
        return _named(node.id, scopes)
    return {HOLE}


def _named(name: str, scopes: Scopes) -> set[str]:
    for scope in reversed(scopes):
        # Another function's names are not this one's.
        inside = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
        values = {
            text
            for node in inside
            if isinstance(node, ast.Assign)
            and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
            and not isinstance(node.value, ast.Name)
            for text in words(node.value, tuple(one for one in scopes if one is not scope))
        }
        if values:
            return values
    return {HOLE}


def _joined(parts: list[set[str]]) -> set[str]:
    whole = {""}
    for some in parts:
        whole = {before + one for before in whole for one in some}
    return {re.sub(f"{HOLE}{HOLE}+", HOLE, text) for text in whole}


@cache
def calls() -> tuple[tuple[str, ast.Call, Scopes], ...]:
    """Every call of the agent's code, with the last part of the name that is called."""
    found = []
    for tree in modules().values():
        for node, scopes in walked(tree):
            if isinstance(node, ast.Call):
                named = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
                name = named.id if isinstance(named, ast.Name) else named
                found.append((name if isinstance(name, str) else "", node, scopes))
    return tuple(found)


def logged(levels: tuple[str, ...]) -> set[str]:
    """The messages of all calls of a log, and of the registrars' events, of these levels."""
    found: set[str] = set()
    for name, call, scopes in calls():
        if call.args and _logs(name, call, scopes, levels):
            found |= words(call.args[0], scopes)
        elif name == "Event" and len(call.args) > 1 and words(call.args[0], scopes) & set(levels):
            found |= words(call.args[1], scopes)
    return found


def _logs(name: str, call: ast.Call, scopes: Scopes, levels: tuple[str, ...]) -> bool:
    """Whether it is `log.warning(…)`, or a name that stands for log.warning."""
    if isinstance(call.func, ast.Attribute):
        return name in levels and "log" in ast.unparse(call.func)
    assigned = (
        ast.unparse(node.value)
        for scope in scopes[1:]
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    return any(re.search(rf"log\.({'|'.join(levels)})\b", value) for value in assigned)


def given_to(function: str | set[str], which: int) -> set[str]:
    """The texts that any call of a function, method or class gets as this argument."""
    names = {function} if isinstance(function, str) else function
    return {
        text
        for name, call, scopes in calls()
        if name in names and len(call.args) > which
        for text in words(call.args[which], scopes)
    }


def raised(base: str) -> set[str]:
    """The texts of everything raised that is a `base`."""
    classes = {base}
    defined = [
        node
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    for _ in range(3):  # classes of classes
        for one in defined:
            if {base.id for base in one.bases if isinstance(base, ast.Name)} & classes:
                classes.add(one.name)
    return given_to(classes, 0)


def literals(tree: ast.AST, least_words: int = 3) -> set[str]:
    """Every text of so many words in a module, without its docstrings and its log lines."""
    found: set[str] = set()
    passed_over = set(map(id, _left_out(tree)))

    def visit(node: ast.AST, scopes: Scopes) -> None:
        if id(node) in passed_over:
            return
        if isinstance(node, (ast.JoinedStr, ast.Constant)):
            for text in words(node, scopes):
                if len(text.replace(HOLE, "").split()) >= least_words:
                    found.add(text)
            return
        inside = isinstance(node, (ast.Module, ast.FunctionDef))
        for child in ast.iter_child_nodes(node):
            visit(child, (*scopes, node) if inside else scopes)

    visit(tree, ())
    return found


def _left_out(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node
        if isinstance(node, ast.Call) and _is_told_of_no_trouble(node):
            yield node
        if isinstance(node, ast.Raise) and "ValueError" in ast.unparse(node):
            yield node


def _is_told_of_no_trouble(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return "log" in name and name.endswith((".debug", ".info"))


def pattern(template: str) -> re.Pattern[str]:
    """What matches the text with its holes filled, or left as they are."""
    parts = (re.escape(part) for part in template.split(HOLE))
    return re.compile(".*".join(parts), re.DOTALL)


def is_told(template: str) -> bool:
    """Whether there is more to it than a word or two between its holes."""
    return len(template.replace(HOLE, " ").split()) >= 2


def function(name: str, tree: ast.AST) -> ast.FunctionDef:
    """The function or method of this name, of which there is one."""
    (found,) = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    return found


def within(name: str, tree: ast.Module) -> set[str]:
    """The texts of a function."""
    return literals(function(name, tree))


def returned(name: str, of_module: str) -> set[str]:
    """The texts that a function returns."""
    tree = module(of_module)
    inside = (tree, function(name, tree))
    return {
        text
        for node, scopes in walked(inside[1], (tree,))
        if isinstance(node, ast.Return) and node.value is not None
        for text in words(node.value, (*scopes, *inside))
    }


def assigned(name: str, of_module: str) -> ast.AST:
    """What a name of a module stands for."""
    for node in module(of_module).body:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        if any(isinstance(one, ast.Name) and one.id == name for one in targets):
            return node
    raise AssertionError(name)


def named_argument(name: str) -> set[str]:
    """The texts that any call gets as an argument of this name."""
    return {
        text
        for _, call, scopes in calls()
        for keyword in call.keywords
        if keyword.arg == name
        for text in words(keyword.value, scopes)
    }


@cache
def everything() -> tuple[re.Pattern[str], ...]:
    """Patterns of all texts of the agent that have two words and more."""
    texts = {text for tree in modules().values() for text in literals(tree, 2)}
    return tuple(pattern(text.strip(" ;,.:")) for text in texts if is_told(text))
