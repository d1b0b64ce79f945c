"""What the shell sees: options in, an exit code out.

options.py, option_values.py    the command line, read and refused in one sentence
main.py                         one call from options to exit code
jobs.py                         which of the ways into the judge an invocation asks for
outcome.py                      a Result with what a baseline adds to it
interruption.py                 Ctrl-C at any moment leaves a report
idle_threads.py                 threads that wait do not take the cores of those that work
"""
