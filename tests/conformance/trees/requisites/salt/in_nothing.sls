#: require_in: to nothing
a:
  test.nop:
    - require_in: [{test: nope}]
