one: pkg.installed
two:
  pkg: [installed]
four:
  pkg.installed: []
five:
  service:
    - running
    - enable: true
