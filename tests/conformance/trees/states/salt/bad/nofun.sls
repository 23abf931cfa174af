#: refused: no function
a:
  file:
    - name: /x
