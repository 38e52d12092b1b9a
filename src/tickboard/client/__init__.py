"""For other programs: watch a board, or push metrics to it. It loads neither numpy nor Starlette."""
