{% from 'webserver/map.jinja' import webserver with context %}

webserver:
  pkg.installed:
    - name: {{ webserver.package }}
  service.running:
    - name: {{ webserver.service }}
    - enable: True
    - require:
      - pkg: webserver

{% for name, site in salt['pillar.get']('webserver:sites', {}).items() %}
webserver site {{ name }}:
  file.managed:
    - name: {{ webserver.sites }}/{{ name }}.conf
    - source: salt://webserver/files/site.conf.jinja
    - template: jinja
    - mode: '0644'
    # The folder comes with the package, which a plan (`test=True`) has not installed.
    - makedirs: True
    - context:
        name: {{ name }}
        site: {{ site | json }}
    - require:
      - pkg: webserver
    - watch_in:
      - service: webserver
{% endfor %}
