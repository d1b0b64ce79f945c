"""A student's file: read without being run as it stands, then compared function by function.

    cells.py, blocks.py, statements.py    a file taken apart without being run
    aliases.py, absent.py, bare.py        what makes old and incomplete files readable
    source.py, absent_data.py             the functions, and what they need
    roles.py, readings.py, ..._readings.py, function_check.py    the functions of the assignment
    binding.py, meanings.py               what the arguments of a gradient function may mean
    flow.py, subject.py, chain.py, arrays_in.py    what a file's functions hand to each other
    networks.py, evidence.py, whole.py, whole_check.py    all of them as one gradient of the network
                                          they compute
    gradient_functions.py, gradient_check.py, gradient_calls.py,
    expected.py, returned.py, activation_slopes.py    gradients and slopes, by calling them
    construct.py, slots.py, zeroing.py, recipe.py, class_trials.py,
    network_class.py                      classes, by trial
    layer_classes.py, layer_losses.py, loss_calls.py, layer_objects.py,
    layers_check.py                       layers as objects
    pair_kinds.py, pair_check.py          a forward and a backward pass of one layer as functions
    missed.py                             what looks like a gradient and was not compared
    cut.py, cut_program.py, cut_rehearsal.py    a back propagation in a loop, cut out and run in it
    training/                             the training of a file, run over rows of ours
    own/                                  a training of any network, held against its own loss
    adapter.py                            the whole file as one function

Nothing here is a sandbox. The code under test runs with the rights of whoever starts the program.
"""
