"""Which known mistake reproduces the numbers: `diagnose` and its siblings.

A mistake is named only if computing with it reproduces what was seen to within its own allowance
and computing rightly does not. `facts` says what can be said when none does. Each is imported
from its own file: where nothing disagrees, no mistake is looked for and the catalogue stays unread.

    diagnose            a function that can be called            loss, gradient, repeated calls
    diagnosed           the same with habits and facts       loss, gradient, repeated calls
    diagnose_gradients  numbers recorded at a point or several   loss, gradient, intermediates
    diagnose_step       consecutive records                      the update
    diagnose_updates    wrong updates, right ones between    the update
    diagnose_records    records and the training set             batches and order
    diagnose_start      the first record                         initial weights
    diagnose_ranks      what a rank reports, parts of all        sums over ranks
    diagnose_curves     curves                                   what was reported
    prediction          a diagnosis and a point                  a tensor as the mistake computes it
"""
