"""The judge: runs both sides from one start and says whether they differ by more than rounding."""
