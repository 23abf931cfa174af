# What the requisites of this folder refer to.
target-id:
  file.managed:
    - name: /target/path
    - mode: '0600'
    - user: root
other-id:
  pkg.installed:
    - name: target-pkg
web-1:
  test.nop: []
web-2:
  test.nop: []
