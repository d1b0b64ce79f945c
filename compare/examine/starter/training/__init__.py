"""Somebody's training program, run over rows of ours and watched: each of its steps against torch.

`supply` makes the rows, `program` the statements that are run, `watch` what is seen of them,
`seen` finds the weights and the batch in it, `steps` holds a step against a network, and
`rehearsal` says what all of it shows.
"""
