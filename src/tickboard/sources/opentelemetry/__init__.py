"""OpenTelemetry's metrics: export requests in protobuf and JSON, read into a source."""
