#: names, names with arguments of their own
many:
  file.managed:
    - names:
      - /a
      - /b:
        - source: salt://b
        - mode: 600
      - /c
      - /a
    - mode: 644
last:
  test.nop:
    - order: last
first:
  test.nop:
    - order: first
tenth:
  test.nop:
    - order: 10
minus:
  test.nop:
    - order: -1
names-ordered:
  test.nop:
    - names: [x, y]
    - order: 5
