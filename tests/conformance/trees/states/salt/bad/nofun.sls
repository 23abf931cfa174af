a:
  file:
    - name: /x
