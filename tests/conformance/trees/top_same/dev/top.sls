base:
  '*': [b]
dev:
  '*': [x, y]
