#: require_in: glob
include: [targets]
a:
  test.nop:
    - require_in: [{test: 'web-*'}]
