"""Micro-benchmarks (Google Benchmark) that don't rot."""

def gatehouse_benchmark(name, srcs, deps, test_args = []):
    """A benchmark, and a test that it still runs."""
    native.cc_binary(
        name = name,
        testonly = True,
        srcs = srcs,
        deps = deps + ["@benchmark"],
    )
    native.sh_test(
        name = name + "_test",
        srcs = ["//benchmarks:run_once.sh"],
        args = ["$(location :%s)" % name] + test_args,
        data = [":" + name],
    )
