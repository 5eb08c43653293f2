"""What tools/benchmark.py measures: a module of cases for each method, and how to measure them."""
