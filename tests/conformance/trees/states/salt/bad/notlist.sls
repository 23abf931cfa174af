a:
  file.managed:
    name: /x
