#: require: glob of nothing
a:
  test.nop:
    - require: [{test: 'x*'}]
