#: require_in: sls
include: [targets]
a:
  test.nop:
    - require_in: [{sls: targets}]
