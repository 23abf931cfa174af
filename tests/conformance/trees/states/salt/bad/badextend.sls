#: refused: extend of nothing
extend:
  nope:
    test: []
