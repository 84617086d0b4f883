"""The wiring of a process: configuration, stores, router, node and services are connected here and nowhere else."""
