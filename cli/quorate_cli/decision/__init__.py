"""What was decided about a model's actions, read from audit records and verified offline."""
