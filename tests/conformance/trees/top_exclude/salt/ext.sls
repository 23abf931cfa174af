#: extend: within a highstate, exclude: within a highstate
include: [a]
extend:
  b:
    test:
      - name: changed
      - require: [{test: v2}]
exclude: [{id: c}]
v2:
  test.nop:
    - watch_in: [{test: a}]
