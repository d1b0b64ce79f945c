"""What a `Result` looks like to a reader: terminal, report.json, plots, page, JUnit, baselines.

Every module here reads a finished `Result` and computes nothing that could change a verdict.
"""
