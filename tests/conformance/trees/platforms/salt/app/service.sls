include: [app]
{% set unit = {'systemd': '/etc/systemd/system', 'upstart': '/etc/init'}[grains.init] %}
unit:
  file.managed:
    - name: {{ unit }}/app.service
    - source:
      - salt://app/files/{{ grains.osfinger }}/app.service
      - salt://app/files/{{ grains.os_family }}/app.service
      - salt://app/files/default/app.service
    - watch_in:
      - service: {{ 'appd' if grains.os_family == 'RedHat' else 'app' }}
{% if grains.os_family == 'Suse' %}
app: service.running
{% endif %}
