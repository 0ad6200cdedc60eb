"""The small networks of the studies, each with its source. `input_shape` on a network is (C, H, W)."""

REVISION = 1  # to be raised when a network computes something else (see engine.freshness)
