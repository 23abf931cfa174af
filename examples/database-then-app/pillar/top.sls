base:
  'G@role:database or G@role:app':
    - match: compound
    - passwords
  '*':
    - shop
