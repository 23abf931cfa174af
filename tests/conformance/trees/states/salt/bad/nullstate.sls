a:
  file.managed:
