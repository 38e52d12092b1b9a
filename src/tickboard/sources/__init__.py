"""Sources: where samples come from. Each writes to a registry, and knows neither engine nor viewers."""
