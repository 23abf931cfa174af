s: two
