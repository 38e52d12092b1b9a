"""Sources: the origins of samples. Each writes to a registry, and knows neither engine nor viewers."""
