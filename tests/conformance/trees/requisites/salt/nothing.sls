#: require: to nothing
a:
  test.nop:
    - require: [{test: nope}]
    - watch: [{pkg: neither}]
