"""What holds for all tests."""

from hypothesis import settings

# How long an example takes says more of the machine than of the code; speed is what benchmarks are for.
settings.register_profile("tickboard", deadline=None)
settings.load_profile("tickboard")
