#: require: to one of names, require: from each of names
many:
  file.managed:
    - names: [/a, /b]
    - require: [{test: first}]
first:
  test.nop: []
after:
  test.nop:
    - require: [{file: /b}, {file: many}]
