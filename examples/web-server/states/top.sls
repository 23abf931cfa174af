base:
  'role:web':
    - match: grain
    - webserver
