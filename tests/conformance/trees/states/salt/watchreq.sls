svc:
  service.running:
    - watch: [{file: conf}, {pkg: p}]
conf:
  file.managed:
    - name: /c
    - watch: [{pkg: p}]
p:
  pkg.installed: []
