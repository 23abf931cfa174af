base:
  '*': [r]
