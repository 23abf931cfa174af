a:
  test.nop:
    - require: [{test: a}]
      watch: [{test: a}]
