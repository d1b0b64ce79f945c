"""Everything that can be declared: honest code in five ways, scale errors, mistakes by name."""
