"""The reference side: the same network in torch, differentiated by autograd."""
