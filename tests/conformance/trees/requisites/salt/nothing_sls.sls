#: require: sls of nothing
a:
  test.nop:
    - require: [{sls: no.such}]
