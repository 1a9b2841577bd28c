"""How steps are composed: recipes as YAML, their schema, the runner."""
