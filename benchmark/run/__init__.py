"""A run: what was asked for is carried out and kept in a run folder."""

from benchmark.system.callable_package import make_callable

make_callable(__name__, "benchmark.api:run")
