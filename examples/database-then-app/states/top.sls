base:
  'role:database':
    - match: grain
    - postgresql
  'role:app':
    - match: grain
    - shop
  'role:proxy':
    - match: grain
    - proxy
