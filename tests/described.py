"""What the OpenAPI description says, and whether answers are as it says."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI

Operation = tuple[str, str]


def conforms(value: Any, schema: dict[str, Any], components: dict[str, Any], place: str = "$") -> list[str]:
    """Where a value is not as a schema of the description says; only what the description uses is known."""
    if "$ref" in schema:
        return conforms(value, components[schema["$ref"].rpartition("/")[2]], components, place)
    if "anyOf" in schema:
        tries = [conforms(value, option, components, place) for option in schema["anyOf"]]
        return [] if [] in tries else tries[0]
    kinds: dict[str, Any] = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
    kinds["number"] = (int, float)
    kind = schema.get("type")
    if kind == "integer":
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        fits = kind is None or isinstance(value, kinds[kind])
    wrong = [] if fits else [f"{place} is not of type {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{place} is none of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        wrong.append(f"{place} is not {schema['const']}")
    if schema.get("format") == "date-time" and not re.match(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*(Z|\+\d\d:\d\d)$", str(value)
    ):
        wrong.append(f"{place} is not a moment")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        wrong += [f"{place}.{name} is missing" for name in schema.get("required", []) if name not in value]
        others = schema.get("additionalProperties", False)
        unknown = [name for name in value if name not in properties]
        wrong += [f"{place}.{name} is not described" for name in unknown if others is False]
        for name in unknown if isinstance(others, dict) else ():
            wrong += conforms(value[name], others, components, f"{place}.{name}")
        for name in value.keys() & properties.keys():
            wrong += conforms(value[name], properties[name], components, f"{place}.{name}")
    if isinstance(value, list):
        for number, item in enumerate(value):
            wrong += conforms(item, schema["items"], components, f"{place}[{number}]")
    return wrong


def documented(app: FastAPI) -> dict[Operation, dict[str, Any]]:
    """The answers of each operation."""
    paths = app.openapi()["paths"]
    return {
        (method, path): operation["responses"] for path, item in paths.items() for method, operation in item.items()
    }


def operations(app: FastAPI) -> list[tuple[Operation, dict[str, Any]]]:
    """All operations, each with its description."""
    paths = app.openapi()["paths"]
    return [((method, path), item) for path, methods in paths.items() for method, item in methods.items()]
