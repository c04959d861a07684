"""The benchmarks: `make bench`, or one by one, e.g. `python -m bench.loop --orders 1000 --batch 100`."""
