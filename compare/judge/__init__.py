"""From records to a verdict.

point.py             one point: both sides evaluated, every number held against its allowance
run.py               a whole run: a point at every update, and the steps between them
structure.py         the structural probes, entered in the ledger
ledger.py            what was compared, and the worst of it
naming.py            which mistake explains a disagreement
conclusion.py        verdict, kind and findings of a point; run_conclusion.py of a run
"""
