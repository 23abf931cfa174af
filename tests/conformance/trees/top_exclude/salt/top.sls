base:
  '*': [a, ext]
