#: context sls, context tplfile, context tpldir, context tpldot, context tplpath, context slspath, context slsdotpath, context slscolonpath
{% for name in ['sls', 'saltenv', 'tplfile', 'tpldir', 'tpldot', 'slspath', 'slsdotpath', 'slscolonpath', 'sls_path'] %}
{{ name }}:
  test.nop:
    - name: "{{ {'sls': sls, 'saltenv': saltenv, 'tplfile': tplfile, 'tpldir': tpldir, 'tpldot': tpldot, 'slspath': slspath, 'slsdotpath': slsdotpath, 'slscolonpath': slscolonpath, 'sls_path': sls_path}[name] }}"
{% endfor %}
tplpath-ends:
  test.nop:
    - name: {{ tplpath.split('/')[-2:] | join('/') }}
