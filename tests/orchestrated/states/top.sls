base:
  'a1': [changes]
  'a2': [good]
  'a3': [good]
