"""The file that keeps the log of alerts, and every other part of alerting that outlives a run."""
