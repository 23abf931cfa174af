#: declaration: name, declaration: unless of a text, declaration: short with arguments, declaration: name from the id, declaration: a function with a dot and arguments
/from/the/id:
  file.managed:
    - contents: x
with-name:
  file.managed:
    - name: /other
    - unless: test -f /x
long:
  file:
    - managed
    - name: /long
    - mode: '0644'
mixed:
  pkg: [installed]
  service.running: []
dotted.id:
  test.nop: []
"quoted id with spaces":
  test.nop: []
