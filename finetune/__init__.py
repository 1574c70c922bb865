"""The offline training script. Nothing about a training is reported to anybody."""

import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trl reports each trainer that is made
