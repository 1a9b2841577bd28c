"""What benchmarks/portability.py is made of: the faces and their scores, and one file for each kind of runtime.

``runtimes.RUNTIMES`` lists them all. A runtime is a function from a Job to Answers; it raises FaceletError with the reason, and
what to install, where it cannot run.
"""
