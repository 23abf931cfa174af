#: require_in: a mapping
include: [targets]
a:
  test.nop:
    - require_in: {test: web-1}
