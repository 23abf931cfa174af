base:
  '*': [a]
  'min*': [b]
dev:
  '*': [x]
