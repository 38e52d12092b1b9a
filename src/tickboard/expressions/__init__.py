"""What is said of metrics: ``cpu.avg("10s") > 80``, as Python or as text, and what it gives for every series."""
