{# Fails on a1 and a2. #}
depends:
{%- if grains.id == 'a3' %}
  test.succeed_without_changes: []
{%- else %}
  test.fail_without_changes: []
{%- endif %}
