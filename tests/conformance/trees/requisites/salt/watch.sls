#: watch: state and id, watch: state and name, watch: bare id, watch: id, watch: glob, watch: sls, watch: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - watch: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - watch: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - watch: [target-id]
id:
  file.managed:
    - name: /d/id
    - watch: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - watch: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - watch: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - watch: [{file: target-id}, {pkg: target-pkg}, web-1]
