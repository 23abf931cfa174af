#: watch_any: state and id, watch_any: state and name, watch_any: bare id, watch_any: id, watch_any: glob, watch_any: sls, watch_any: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - watch_any: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - watch_any: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - watch_any: [target-id]
id:
  file.managed:
    - name: /d/id
    - watch_any: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - watch_any: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - watch_any: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - watch_any: [{file: target-id}, {pkg: target-pkg}, web-1]
