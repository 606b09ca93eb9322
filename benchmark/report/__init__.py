"""Tables, curves and the HTML report of a run."""

from benchmark.system.callable_package import make_callable

make_callable(__name__, "benchmark.api:report")
