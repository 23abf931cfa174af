#: include: of an environment that is none
include:
  - dev: d
  - missing_env: q
a:
  test.nop: []
