#: require_in: id
include: [targets]
a:
  test.nop:
    - require_in: [{id: other-id}]
