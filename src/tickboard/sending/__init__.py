"""Remote write: every tick goes on to Prometheus, VictoriaMetrics, Mimir or whatever speaks its protocol."""
