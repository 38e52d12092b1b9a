"""Remote write: sends every tick to Prometheus, VictoriaMetrics, Mimir or any other receiver of the protocol."""
