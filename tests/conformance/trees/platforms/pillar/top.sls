base:
  '*': [common]
  'os_family:RedHat':
    - match: grain
    - rpm
  'G@os:Ubuntu or G@os:SUSE':
    - some
