"""What Prometheus speaks: its remote write."""
