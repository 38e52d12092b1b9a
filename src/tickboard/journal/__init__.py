"""The file that keeps the log of alerts, and all else of alerts that outlives a run."""
