"""How fast a deployed model answers: one incremental engine, driven in virtual time by `lab simulate` and by the clock in the local cloud.

    requests, replica       what goes in and out; what the engine asks of a replica
    batching, stepwise      continuous batching from event to event; the same step by step, as its oracle
    static_batching         padded batches in context buckets, as older Neuron serves them
    service                 managed services whose insides nobody outside knows
    admission, router       quotas, limits, and which replica a request goes to
    autoscaling             policies with the lag they really have
    engine                  all of these together: submit, advance, cancel, set_replicas, run
    laws, laws_gpu, laws_neuron   seconds for a step, from shapes, ratings and fitted constants
    memory, profiles, services    from names to replicas: does it fit, what are the defaults, what is assumed
    arrivals, simulate, statistics, commands   workloads, runs, percentiles, `lab simulate`
    calibration             the constants fitted to published measurements, and every error printed
    bench                   simulated requests per second, beside the step-by-step engine's

No AWS, no clock, no thread, no I/O but its own data files.
"""
