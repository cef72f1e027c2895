"""Diagnostic codes and their explanations: of rules with the rule, of others in TOML files."""
