"""Sources: where samples come from. Each writes to a registry's handles, and knows neither engine nor viewers."""
