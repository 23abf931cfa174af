#: unless, onlyif, creates, check_cmd, retry, failhard, parallel, runas, umask, timeout, fire_event, reload_modules, reload_grains, reload_pillar, aggregate, saltenv, names, order
{% for key, value in [('unless', ['false', {'fun': 'test.false'}]), ('onlyif', 'true'), ('creates', ['/a', '/b']), ('check_cmd', ['true']), ('retry', {'attempts': 2, 'until': true, 'interval': 1, 'splay': 1}), ('retry', true), ('failhard', true), ('parallel', true), ('runas', 'root'), ('umask', '022'), ('timeout', 5), ('fire_event', 'tag/x'), ('reload_modules', true), ('reload_grains', true), ('reload_pillar', true), ('aggregate', ['pkg']), ('saltenv', 'base'), ('names', ['x', 'y']), ('order', 7), ('__env__', 'base'), ('env', ['A=b'])] %}
g{{ loop.index }}:
  cmd.run:
    - name: echo {{ loop.index }}
    - {{ key }}: {{ value|json }}
{% endfor %}
