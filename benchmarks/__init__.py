"""Measurements that the documents quote, each rerunnable: `python -m benchmarks.NAME`."""
