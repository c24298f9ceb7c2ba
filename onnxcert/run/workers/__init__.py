"""Workers: processes that run a model for the driver, on this machine or on a cluster.

The driver reads inputs, decides and writes results. A worker opens the model once and executes
`Task`s. Draw i is a pure function of seed, input and i, and counts of disjoint draws add up. So it
does not matter which worker counts a draw, or how many attempts it takes: the result is that of one
process, bit for bit.
"""
