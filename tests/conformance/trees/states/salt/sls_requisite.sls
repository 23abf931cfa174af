#: require: sls alone
include: [short]
dep:
  test.nop:
    - require: [{sls: short}]
