"""The small networks of the studies, each with its source. `input_shape` on a network is (C, H, W)."""
