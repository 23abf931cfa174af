nothing:
  test.succeed_without_changes:
    - require:
        - test: nowhere
