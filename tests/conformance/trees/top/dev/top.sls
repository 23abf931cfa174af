dev:
  '*': [ignored]
