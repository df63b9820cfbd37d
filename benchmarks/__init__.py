"""Each benchmark measures the product against its limit, in the same run. `python -m benchmarks` runs them."""
