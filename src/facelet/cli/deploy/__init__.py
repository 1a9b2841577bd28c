"""Commands and tables of other runtimes: `facelet export`, and `facelet bench --runtimes`."""
