"""Many hosts: a host publishes what it knows, and a wall follows hosts and shows them together."""
