#: use: state and id, use: state and name, use: bare id, use: id, use: glob, use: sls, use: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - use: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - use: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - use: [target-id]
id:
  file.managed:
    - name: /d/id
    - use: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - use: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - use: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - use: [{file: target-id}, {pkg: target-pkg}, web-1]
