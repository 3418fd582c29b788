"""Beyond one machine: work shared out to the workers of a Dask scheduler. See `cluster.py`; `lab spread up` starts one."""
