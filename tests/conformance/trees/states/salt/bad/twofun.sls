#: refused: two functions
a:
  file:
    - managed
    - absent
