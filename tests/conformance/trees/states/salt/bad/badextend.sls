extend:
  nope:
    test: []
