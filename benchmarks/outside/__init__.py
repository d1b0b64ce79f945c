"""Code that nobody here wrote: cases by others, and hand-ins whose style is drawn by itself.

cases.py       files whose first lines say truth, verdict and cause
answers.py     what counts as the right cause of each
"""
