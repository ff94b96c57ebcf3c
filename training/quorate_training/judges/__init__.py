"""What the committee's judges go by, made by script: texts, models, baselines, and their list."""
