{# Fails unless pillar of the stage says otherwise. #}
wanted:
  test.{{ 'succeed_with_changes' if salt['pillar.get']('wanted') else 'fail_without_changes' }}: []
