"""What Prometheus speaks: the text that it scrapes, and its remote write."""
