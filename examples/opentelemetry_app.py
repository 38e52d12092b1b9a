"""A program measured by OpenTelemetry: it knows nothing of Tickboard.

    tickboard &
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:3000 OTEL_METRIC_EXPORT_INTERVAL=1000
    OTEL_SERVICE_NAME=shop python examples/opentelemetry_app.py

It needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http.
"""

import random
import time

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

meter = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]).get_meter("shop")
orders = meter.create_counter("orders", unit="{order}")
took = meter.create_histogram("checkout.duration", unit="s")

while True:
    orders.add(1, {"kind": random.choice(["book", "film"])})
    took.record(random.expovariate(5))
    time.sleep(0.05)
