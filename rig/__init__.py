"""A real Kubernetes from nothing, for the demo, the tests and the benchmarks: binaries, clusters, nodes, oracles."""
