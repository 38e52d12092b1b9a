"""The hub: who is connected, what each subscribed to, and the fan-out of ticks and alerts. It does no I/O."""
