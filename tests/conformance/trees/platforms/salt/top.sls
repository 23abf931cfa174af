base:
  '*': [web]
  'os_family:Debian':
    - match: grain
    - app.apt
  'osfinger:Rocky*':
    - match: grain
    - app.rpm
  'P@osrelease:^15':
    - app
