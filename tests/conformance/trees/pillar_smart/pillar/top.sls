#: pillar_source_merging_strategy smart
base:
  '*': [one, two]
  'os:Debian':
    - match: grain
    - inc
  'x*': [never]
