{# Fails on a1, changes a2, and leaves a3 alone. #}
depends:
{%- if grains.id == 'a1' %}
  test.fail_without_changes: []
{%- elif grains.id == 'a2' %}
  test.succeed_with_changes: []
{%- else %}
  test.succeed_without_changes: []
{%- endif %}
