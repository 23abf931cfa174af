s: one
