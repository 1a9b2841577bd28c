"""Parts of benchmarks/portability.py: faces and scores, and one file for each kind of runtime.

``runtimes.RUNTIMES`` lists them. A runtime is a function from a Job to RuntimeOutputs.
Where it cannot run, it raises FaceletError with the reason and what to install.
"""
