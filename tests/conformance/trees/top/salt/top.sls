base:
  '*': [a]
  'minion*': [b]
  'nobody*': [c]
  'os:Debian':
    - match: grain
    - c
  'G@os:Debian and not x*':
    - d
  'role:web':
    - match: pillar
    - e
  'minion1,other':
    - match: list
    - f
  'min.*\d':
    - match: pcre
    - g
  'os:(Debian|Red)':
    - match: grain_pcre
    - h
  'servers':
    - match: nodegroup
    - i
  'roles:cache':
    - match: grain
    - j
  'role:w.*':
    - match: pillar_pcre
    - k
  'role:web*':
    - match: pillar_exact
    - l
  'I@role:web or E@x':
    - match: compound
    - m
dev:
  '*': [devonly]
