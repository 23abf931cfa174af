#: require: sls glob
include: [targets]
a:
  test.nop:
    - require: [{sls: 'targ*'}]
