"""The codec adapters: one file, or one folder, each."""

from benchmark.system.callable_package import make_callable

make_callable(__name__, "benchmark.codec:list_codecs")
