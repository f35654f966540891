"""The sans-IO protocol between the kernel and a guest: framing, typed frames, values as data."""
