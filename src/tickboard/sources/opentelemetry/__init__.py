"""OpenTelemetry's metrics: export requests in protobuf and JSON, written to a source."""
