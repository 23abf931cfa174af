#: extend: requisites, extend: arguments
include: [several]
extend:
  web:
    service:
      - watch: [{file: web}]
    pkg.installed:
      - version: 1
