#: require_any: state and id, require_any: state and name, require_any: bare id, require_any: id, require_any: glob, require_any: sls, require_any: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - require_any: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - require_any: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - require_any: [target-id]
id:
  file.managed:
    - name: /d/id
    - require_any: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - require_any: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - require_any: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - require_any: [{file: target-id}, {pkg: target-pkg}, web-1]
