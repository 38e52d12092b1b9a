"""Who is connected, what each asked for, and the fan-out of ticks and alerts to them. It does no I/O."""
