"""What holds for all tests."""

import os

from hypothesis import settings

# Every board that a test starts is as if it were the first, and leaves nothing behind, unless the test says otherwise.
os.environ["TICKBOARD_STATE"] = "none"

# How long an example takes says more of the machine than of the code; speed is what benchmarks are for.
settings.register_profile("tickboard", deadline=None)
settings.load_profile("tickboard")
