"""The specification bent: each clause switched off, always on or turned round, and each function of
the rules with one thing in it changed, made by machine from its syntax tree.
"""

from __future__ import annotations

import ast
import functools
import importlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from specification.rules import allowed
from specification.rules.case import CLAUSES, Clause
from specification.rules.endpoints import Pool

FILES = sorted(Path(allowed.__file__).parent.glob("[!_]*.py"))
MODULES = [importlib.import_module(f"specification.rules.{file.stem}") for file in FILES]

BESIDE = {"clause", "clause.make", "Clause.name", "Clause.__call__", "frontends"}
"""What makes clauses of functions, or lists frontends, and decides nothing."""

WORDS = {"Allowed.__str__", "Allowed._may"}
"""What puts an answer into words."""


@dataclass(frozen=True)
class Bend:
    """One way in which the specification is another."""

    name: str
    apply: Callable[[], None]
    undo: Callable[[], None]

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Make it so for a while; nothing is remembered from before."""
        self.apply()
        forget()
        try:
            yield
        finally:
            self.undo()
            forget()


def forget() -> None:
    """Forget all that was worked out of states."""
    for module in MODULES:
        for found in vars(module).values():
            if hasattr(found, "cache_clear"):
                found.cache_clear()


# --- whole clauses ---


def clauses() -> Iterator[Bend]:
    """Each clause never, always and the other way round."""
    for found in CLAUSES.values():
        kind = found.rule.__annotations__["return"]
        for way, rule in _BENT[kind].items():
            bent = functools.wraps(found.rule)(functools.partial(rule, found.rule))
            yield Bend(
                f"{found.name}, {way}",
                functools.partial(_set, found, bent),
                functools.partial(_set, found, found.rule),
            )


def _set(found: Clause[..., Any], rule: Callable[..., Any]) -> None:
    object.__setattr__(found, "rule", rule)


def _others(rule: Callable[..., Pool], case: object, pool: Pool) -> Pool:
    taken = rule(case, pool)
    return tuple(each for each in pool if each not in taken)


_BENT: dict[str, dict[str, Callable[..., Any]]] = {
    "bool": {
        "never": lambda *_: False,
        "always": lambda *_: True,
        "turned round": lambda rule, *case: not rule(*case),
    },
    "str": {
        "never": lambda *_: "",
        "always": lambda *_: "always",
        "turned round": lambda rule, *case: "" if rule(*case) else "turned round",
    },
    "Pool": {
        "never": lambda *_: (),
        "always": lambda *given: given[-1],
        "turned round": _others,
    },
}


# --- one thing in a function ---


def functions() -> Iterator[Bend]:
    """Each function of the rules with one thing changed, for all things that can be."""
    for file, module in zip(FILES, MODULES, strict=True):
        tree = ast.parse(file.read_text())
        for function, name in _functions(tree, ""):
            if name not in BESIDE | WORDS:
                yield from _bends(module, tree, function, name)


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[ast.FunctionDef, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name = f"{prefix}{node.name}"
            if isinstance(node, ast.FunctionDef):
                yield node, name
            yield from _functions(node, f"{name}.")


def _bends(
    module: ModuleType, tree: ast.Module, function: ast.FunctionDef, name: str
) -> Iterator[Bend]:
    live = _live(module, name)
    right, said = live.__code__, Counter[str]()
    for holder, field, old, new in _changes(function):
        before, after = _source(old), _source(new)
        _put(holder, field, old, new)
        bent = _code(compile(ast.fix_missing_locations(tree), module.__file__ or "", "exec"), name)
        _put(holder, field, new, old)
        text = f"{module.__name__.rpartition('.')[2]}.{name}: {before} -> {after}"
        said[text] += 1
        text += f" #{said[text]}" if said[text] > 1 else ""
        swap = functools.partial(setattr, live, "__code__")
        yield Bend(text, functools.partial(swap, bent), functools.partial(swap, right))


def _source(node: object) -> str:
    return "" if node is None else ast.unparse(node) if isinstance(node, ast.AST) else str(node)


def _live(module: ModuleType, name: str) -> FunctionType:
    """The function itself, whatever it is wrapped in."""
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    for wrapping in ("rule", "fget", "func", "__wrapped__"):
        found = getattr(found, wrapping, found)
    assert isinstance(found, FunctionType), name
    return found


def _code(module: CodeType, name: str) -> CodeType:
    """The code of a function in that of its module."""
    code = module
    for part in name.split("."):
        inner = (each for each in code.co_consts if isinstance(each, CodeType))
        code = next(each for each in inner if each.co_name == part)
    return code


Change = tuple[ast.AST, str | tuple[str, int], Any, Any]
"""A node, one of its fields or an item of one, what is there and what might be there."""


def _put(holder: ast.AST, field: str | tuple[str, int], _: Any, value: Any) -> None:
    if isinstance(field, str):
        setattr(holder, field, value)
    else:
        getattr(holder, field[0])[field[1]] = value


def _changes(function: ast.FunctionDef) -> Iterator[Change]:
    documented = ast.get_docstring(function) is not None
    for place, statement in enumerate(function.body):
        if not (documented and place == 0):
            yield from _of(function, ("body", place), statement)


def _of(holder: ast.AST, field: str | tuple[str, int], node: ast.AST) -> Iterator[Change]:
    """The changes of a node and of all that it consists of."""
    for other in _instead(node):
        yield holder, field, node, other
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "op", "ops", "ctx"}:
            continue
        if isinstance(value, ast.AST):
            yield from _of(node, name, value)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _of(node, (name, place), item)


_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_CALLED = {"any": "all", "all": "any"}


def _instead(node: ast.AST) -> Iterator[ast.AST]:
    """What might stand in a node's place."""
    match node:
        case ast.Compare(left, [op], right):
            for other in _COMPARED[type(op)]:
                yield ast.Compare(left, [other()], right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
        case ast.BinOp(left, ast.BitAnd(), right):
            yield ast.BinOp(left, ast.BitOr(), right)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Call(ast.Name(called), arguments, keywords) if called in _CALLED:
            yield ast.Call(ast.Name(_CALLED[called], ast.Load()), arguments, keywords)
        case ast.comprehension(target, iterated, [*conditions], is_async) if conditions:
            for place in range(len(conditions)):
                fewer = [*conditions[:place], *conditions[place + 1 :]]
                yield ast.comprehension(target, iterated, fewer, is_async)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(str(value)):
            yield ast.Constant("" if " " in value else f"{value}?")
