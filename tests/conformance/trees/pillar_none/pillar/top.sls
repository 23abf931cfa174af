base:
  '*': [one, two]
  'os:Debian':
    - match: grain
    - inc
  'x*': [never]
