#: declaration: several modules of an id
web:
  pkg.installed:
    - name: nginx
  service.running:
    - require: [{pkg: web}]
  file:
    - managed
    - name: /etc/x
