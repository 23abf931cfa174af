part:
  test.succeed_with_changes: []
