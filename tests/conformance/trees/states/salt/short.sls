#: declaration: pkg.installed as text, declaration: list of functions, declaration: module.function, declaration: module with function in the list
one: pkg.installed
two:
  pkg: [installed]
four:
  pkg.installed: []
five:
  service:
    - running
    - enable: true
