#: require: state and id, require: state and name, require: bare id, require: id, require: glob, require: sls, require: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - require: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - require: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - require: [target-id]
id:
  file.managed:
    - name: /d/id
    - require: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - require: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - require: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - require: [{file: target-id}, {pkg: target-pkg}, web-1]
