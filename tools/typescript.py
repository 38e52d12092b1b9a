"""The page's TypeScript types, made from the msgspec Structs of `src/tickboard/wire.py`.

It takes that file alone, loaded by its path, so that none of Tickboard's dependencies but msgspec has to be installed.
It gives one interface for each Struct and one alias for each Literal or union, in the order of the file, with their
docstrings. A field that the encoder may leave out is optional; None that it would write is null.

Usage: python tools/typescript.py [--check] client/src/types.gen.ts
"""

import argparse
import ast
import importlib.util
import json
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Literal, TypeGuard, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

WIRE_TYPES = Path(__file__).parents[1] / "src" / "tickboard" / "wire.py"
HEADER = "// Made from src/tickboard/wire.py by tools/typescript.py: change it there.\n"
PRIMITIVES = {str: "string", int: "number", float: "number", bool: "boolean", NoneType: "null"}
LINE_WIDTH = 120


def generate(path: Path = WIRE_TYPES) -> str:
    """Return the TypeScript source of the wire types in the module at `path`.

    Raises:
        TypeError: a field has a type that the page can't be told about.
    """
    module = load(path)
    aliases = {name: value for name, value in vars(module).items() if _is_alias(value)}
    docs = _alias_docs(path)
    parts = [HEADER]
    for name, value in vars(module).items():
        if name in aliases:
            others = {other: hint for other, hint in aliases.items() if other != name}
            parts.append(_doc(docs.get(name)) + _alias(name, value, others))
        elif _is_struct(value) and value.__module__ == module.__name__:
            parts.append(_doc(value.__doc__) + _interface(value, aliases))
    return "\n".join(parts)


def load(path: Path) -> ModuleType:
    """Return the module at `path`, imported without the package that it is in."""
    spec = importlib.util.spec_from_file_location("tickboard_wire_types", path)
    if spec is None or spec.loader is None:
        raise TypeError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # msgspec resolves forward references there
    spec.loader.exec_module(module)
    return module


def write(target: Path) -> None:
    """Write the types to `target`, unless they are there already: builds look at its time."""
    source = generate()
    if not is_current(target, source):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, encoding="utf-8", newline="\n")


def is_current(target: Path, source: str) -> bool:
    """Return whether `target` holds `source`."""
    return target.is_file() and target.read_text(encoding="utf-8") == source


def _is_struct(value: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(value, type) and issubclass(value, msgspec.Struct)


def _is_alias(value: object) -> bool:
    return get_origin(value) in {Literal, Union, UnionType}


def _alias_docs(path: Path) -> dict[str, str]:
    """Return the strings that follow assignments, as documentation tools read them."""
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    docs = {}
    for statement, after in pairwise(statements):
        match statement, after:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(doc))):
                docs[name] = doc
    return docs


def _doc(text: str | None) -> str:
    if not text:
        return ""
    lines = [line.strip().replace("``", "`").replace("*/", "*\\/") for line in text.strip().splitlines()]
    if len(lines) == 1:
        return f"/** {lines[0]} */\n"
    return "\n".join(["/**", *(f" * {line}".rstrip() for line in lines), " */\n"])


def _alias(name: str, hint: object, aliases: dict[str, object]) -> str:
    members = _members(hint, aliases)
    line = f"export type {name} = {' | '.join(members)};\n"
    if len(line) <= LINE_WIDTH:
        return line
    return "\n".join([f"export type {name} =", *(f"  | {member}" for member in members)]) + ";\n"


def _interface(struct: type[msgspec.Struct], aliases: dict[str, object]) -> str:
    config = struct.__struct_config__
    lines = [f"export interface {struct.__name__} {{"]
    if config.tag is not None:
        lines.append(f"  {_key(config.tag_field or 'type')}: {json.dumps(config.tag)};")
    lines += [_field(field, config.omit_defaults, aliases) for field in msgspec.structs.fields(struct)]
    return "\n".join([*lines, "}\n"])


def _field(field: FieldInfo, omit_defaults: bool, aliases: dict[str, object]) -> str:
    optional = omit_defaults and not field.required
    members = _members(field.type, aliases)
    if optional and field.default is None:
        members = [member for member in members if member != "null"]
    return f"  {_key(field.encode_name)}{'?' if optional else ''}: {' | '.join(members)};"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _members(hint: object, aliases: dict[str, object]) -> list[str]:
    """Return the TypeScript of a type hint, as the members of a union; most have one."""
    for name, aliased in aliases.items():
        if hint == aliased:
            return [name]
    if get_origin(hint) is Literal:
        return [json.dumps(value) for value in get_args(hint)]
    if get_origin(hint) in {Union, UnionType}:
        return list(dict.fromkeys(member for part in get_args(hint) for member in _members(part, aliases)))
    return [_single(hint, aliases)]


def _single(hint: object, aliases: dict[str, object]) -> str:
    if isinstance(hint, type) and hint in PRIMITIVES:
        return PRIMITIVES[hint]
    if _is_struct(hint):
        return hint.__name__
    if get_origin(hint) is list:
        members = _members(get_args(hint)[0], aliases)
        return f"{members[0]}[]" if len(members) == 1 else f"({' | '.join(members)})[]"
    if get_origin(hint) is dict and get_args(hint)[0] is str:
        return f"Record<string, {' | '.join(_members(get_args(hint)[1], aliases))}>"
    raise TypeError(f"tools/typescript.py: no TypeScript type is known for {hint}: add it to _single()")


def main() -> None:
    """Write the file, or with --check say whether it is as it would be written."""
    parser = argparse.ArgumentParser(description="Make the page's TypeScript types from src/tickboard/wire.py.")
    parser.add_argument("target", type=Path, help="the file to write, client/src/types.gen.ts")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is out of date")
    arguments = parser.parse_args()
    if not arguments.check:
        write(arguments.target)
    elif not is_current(arguments.target, generate()):
        sys.exit(f"{arguments.target} is out of date: python tools/typescript.py {arguments.target}")


if __name__ == "__main__":
    main()
