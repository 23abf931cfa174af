changed:
  test.succeed_with_changes: []
