base:
  'web*':
    - sites
