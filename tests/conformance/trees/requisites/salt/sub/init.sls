#: require: relative sls
include: [.part]
a:
  test.nop:
    - require: [{sls: .part}]
b:
  test.nop:
    - require: [{sls: sub.part}]
