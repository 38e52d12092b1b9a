"""Labels of a series from OTLP's attributes: those of its resource and those of its data points."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from tickboard.errors import PayloadError
from tickboard.metrics.cleaning import MAX_LABEL_VALUE, short
from tickboard.sources.streams import Labels

RESOURCE_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "service.name": "service",
        "service.instance.id": "instance",
        "deployment.environment": "environment",
        "deployment.environment.name": "environment",
        "host.name": "host",
        "k8s.namespace.name": "namespace",
        "k8s.pod.name": "pod",
        "k8s.container.name": "container",
        "container.name": "container",
    }
)
"""The resource attributes that become labels, and the names of these labels."""


_DISTINGUISHING = ("service.namespace", "k8s.cluster.name", "k8s.pod.uid", "container.id", "host.id", "process.pid")
"""The attributes that best distinguish two resources that would have the same labels."""


_INSTANCE = ("service.instance.id", "host.name", "host.id", "k8s.pod.name", "k8s.pod.uid", "container.id")
"""The attributes of a resource that identify it among several of its kind."""


MAX_VALUE_BYTES = 16 * MAX_LABEL_VALUE
"""The largest attribute whose value is a list or a map: a longer one cannot become a label."""


MAX_ATTRIBUTES = 256
"""The most attributes of one resource, scope or data point. SDKs keep at most 128, and a series has 64 labels."""


class Resource(Struct, frozen=True):
    """The attributes of a resource.

    Attributes:
        labels: label, attribute and value for each attribute that becomes a label.
        marks: the other attributes; those that best distinguish two resources come first.
        identifies_itself: whether it identifies itself among several; otherwise its address distinguishes it.
    """

    labels: tuple[tuple[str, str, str], ...]
    marks: dict[str, str]
    identifies_itself: bool


def read_resource(resource: Any) -> Resource:
    check_attributes(resource, "resource")
    # A text longer than a label's value is refused later: one character too many is enough for that.
    attributes = {
        attribute.key: label_text(attribute.value)[: MAX_LABEL_VALUE + 1] for attribute in resource.attributes
    }
    if "service.instance.id" not in attributes and "process.pid" in attributes:
        attributes["service.instance.id"] = attributes["process.pid"]
    labels: dict[str, tuple[str, str]] = {}
    for name, label in RESOURCE_LABELS.items():
        if value := attributes.get(name):
            before = labels.pop(label, None)
            if before is not None and before[1] != value:
                # Two attributes would become one label: the other one keeps its own name.
                labels[before[0]] = before
            labels[label] = name, value
    rest = [name for name, value in attributes.items() if name not in RESOURCE_LABELS and is_mark(value)]
    rest.sort(key=lambda name: (_DISTINGUISHING.index(name) if name in _DISTINGUISHING else len(_DISTINGUISHING), name))
    return Resource(
        tuple((label, name, value) for label, (name, value) in labels.items()),
        {name: attributes[name] for name in rest},
        any(attributes.get(name) for name in _INSTANCE),
    )


def is_mark(value: str) -> bool:
    """Return whether text can be the value of a label, and so distinguish two streams."""
    return 0 < len(value) <= MAX_LABEL_VALUE


def labels_of(resource: Iterable[tuple[str, str, str]], point: Any) -> Labels:
    """Return the labels of a data point: those of its resource, and its attributes.

    If both have a label, it is the point's attribute, and the resource's becomes a label under its own name.

    Args:
        resource: label, attribute and value of each.
        point: a data point with attributes.

    Raises:
        PayloadError: there are too many attributes, or one of them is too long.
    """
    check_attributes(point, "data point")
    own = {attribute.key: label_text(attribute.value) for attribute in point.attributes}
    found: list[tuple[str, str]] = []
    for label, name, value in resource:
        free = next(each for each in (label, name, f"resource.{name}", "") if own.get(each, value) == value)
        if free and free not in own:
            found.append((free, value))
    return (*found, *own.items())


def attributes_key(point: Any) -> bytes:
    """Return the attributes of a data point as received, as a key.

    Raises:
        PayloadError: there are too many.
    """
    check_attributes(point, "data point")
    return short(b"\0".join(attribute.SerializeToString() for attribute in point.attributes))


def label_text(value: Any) -> str:
    """Return an AnyValue as a label's value: lists and maps as JSON.

    Raises:
        PayloadError: it is a list or a map that is too long.
    """
    if value.WhichOneof("value") != "string_value" and (size := value.ByteSize()) > MAX_VALUE_BYTES:
        raise PayloadError(f"an attribute's value has {size} bytes: send {MAX_VALUE_BYTES} at most", 413)
    found = plain(value)
    if isinstance(found, str):
        return found
    return json.dumps(found, ensure_ascii=False)


def plain(value: Any) -> Any:
    which = value.WhichOneof("value")
    if which is None:
        return ""
    if which == "array_value":
        return [plain(each) for each in value.array_value.values]
    if which == "kvlist_value":
        return {each.key: plain(each.value) for each in value.kvlist_value.values}
    if which == "bytes_value":
        return b64encode(value.bytes_value).decode()
    return getattr(value, which)


def check_attributes(of: Any, what: str) -> None:
    if (count := len(of.attributes)) > MAX_ATTRIBUTES:
        raise PayloadError(f"a {what} has {count} attributes: send {MAX_ATTRIBUTES} at most", 413)
