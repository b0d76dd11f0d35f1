"""The controllers of the simulated control plane, one file a domain."""
