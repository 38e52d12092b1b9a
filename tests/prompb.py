"""Prometheus' messages, built from their published field numbers with the real protobuf library."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "double": _Field.TYPE_DOUBLE,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "uint32": _Field.TYPE_UINT32,
    "sint32": _Field.TYPE_SINT32,
    "sint64": _Field.TYPE_SINT64,
    "string": _Field.TYPE_STRING,
}

# name: (number, type, and whether it is repeated)
_HISTOGRAM = {
    "count_int": (1, "uint64", False),
    "count_float": (2, "double", False),
    "sum": (3, "double", False),
    "schema": (4, "sint32", False),
    "zero_threshold": (5, "double", False),
    "zero_count_int": (6, "uint64", False),
    "zero_count_float": (7, "double", False),
    "negative_spans": (8, "BucketSpan", True),
    "negative_deltas": (9, "sint64", True),
    "negative_counts": (10, "double", True),
    "positive_spans": (11, "BucketSpan", True),
    "positive_deltas": (12, "sint64", True),
    "positive_counts": (13, "double", True),
    "reset_hint": (14, "uint64", False),
    "timestamp": (15, "int64", False),
    "custom_values": (16, "double", True),
}
_SHARED = {
    "Sample": {"value": (1, "double", False), "timestamp": (2, "int64", False)},
    "BucketSpan": {"offset": (1, "sint32", False), "length": (2, "uint32", False)},
    "Histogram": _HISTOGRAM,
}
_V1 = _SHARED | {
    "Label": {"name": (1, "string", False), "value": (2, "string", False)},
    "Exemplar": {"labels": (1, "Label", True), "value": (2, "double", False), "timestamp": (3, "int64", False)},
    "TimeSeries": {
        "labels": (1, "Label", True),
        "samples": (2, "Sample", True),
        "exemplars": (3, "Exemplar", True),
        "histograms": (4, "Histogram", True),
    },
    "MetricMetadata": {
        "type": (1, "uint64", False),
        "metric_family_name": (2, "string", False),
        "help": (4, "string", False),
        "unit": (5, "string", False),
    },
    "WriteRequest": {"timeseries": (1, "TimeSeries", True), "metadata": (3, "MetricMetadata", True)},
}
_V2 = _SHARED | {
    "Metadata": {"type": (1, "uint64", False), "help_ref": (3, "uint32", False), "unit_ref": (4, "uint32", False)},
    "TimeSeries": {
        "labels_refs": (1, "uint32", True),
        "samples": (2, "Sample", True),
        "histograms": (3, "Histogram", True),
        "metadata": (5, "Metadata", False),
        "created_timestamp": (6, "int64", False),
    },
    "Request": {"symbols": (4, "string", True), "timeseries": (5, "TimeSeries", True)},
}


def _classes(package: str, messages: dict[str, dict[str, tuple[int, str, bool]]]) -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, members in messages.items():
        message = file.message_type.add(name=name)
        for member, (number, kind, repeated) in members.items():
            field = message.field.add(name=member, number=number)
            field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            if kind in _TYPES:
                field.type = _TYPES[kind]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


V1 = _classes("prometheus", _V1)
V2 = _classes("io.prometheus.write.v2", _V2)


def write_request(*series: tuple[dict[str, str], list[tuple[float, float]]]) -> Any:
    """Return a WriteRequest of series, each with its labels and its samples as pairs of value and POSIX seconds."""
    request = V1["WriteRequest"]()
    for labels, samples in series:
        one = request.timeseries.add()
        for label in sorted(labels):
            one.labels.add(name=label, value=labels[label])
        for value, time in samples:
            one.samples.add(value=value, timestamp=round(time * 1000))
    return request
