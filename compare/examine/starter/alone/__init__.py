"""A class with a forward and a backward pass, held against the slopes of its own forward pass.

For layers that stand in no network that could be compared: nobody has to say what they compute.
"""

ALONE = "held against its own forward pass"
