#: match glob, match grain, match compound by default, match compound, match pillar, match list, match pcre, match grain_pcre, match nodegroup, match pillar_pcre, match pillar_exact, match ipcidr, compound G@, compound I@, compound E@, compound S@, compound P@, compound L@, compound N@, compound J@, compound parentheses, compound and or not, top of several environments
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
  'S@127.0.0.0/8':
    - n
  '127.0.0.0/8':
    - match: ipcidr
    - o
  'E@min.*\d$ and not L@other,none':
    - p
  'P@os:(Debian|Red) or nobody':
    - q
  'N@servers and J@role:w.*':
    - match: compound
    - r
  '( G@os:Debian or x ) and ( not G@role:db )':
    - s
  'os:Deb*':
    - match: grain
    - t
  'G@nested:key:value':
    - v
  '[mn]inion?':
    - w
dev:
  '*': [devonly]
