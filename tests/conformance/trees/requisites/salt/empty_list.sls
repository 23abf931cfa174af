#: require: nothing at all
a:
  test.nop:
    - require: []
