#: require_in beside extend
include: [targets]
extend:
  web-1:
    test:
      - require: [{test: web-2}]
b:
  test.nop:
    - require_in: [{test: web-1}]
