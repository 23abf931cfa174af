#: extend: with require_in, extend: of a name, extend: watch and arguments at once
include: [several, short]
extend:
  one:
    pkg:
      - require: [{pkg: two}]
  five:
    service.running:
      - enable: false
      - watch: [{pkg: one}]
new:
  test.nop:
    - require_in: [{pkg: one}]
