#: require: bare id of nothing
a:
  test.nop:
    - require: [nope]
