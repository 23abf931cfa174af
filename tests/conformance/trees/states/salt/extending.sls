include: [several]
extend:
  web:
    service:
      - watch: [{file: web}]
    pkg.installed:
      - version: 1
