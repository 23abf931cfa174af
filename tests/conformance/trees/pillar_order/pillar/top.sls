#: pillar top: order, pillar top: ignore_missing
base:
  'minion1':
    - order: 2
    - one
  '*':
    - order: 1
    - two
    - maybe
  'id:*':
    - match: grain
    - ignore_missing: true
    - gone
