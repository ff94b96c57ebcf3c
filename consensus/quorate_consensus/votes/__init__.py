"""A member's votes: kept before they are said, and found again after a crash.

``log_file`` is the format, ``store`` what is remembered of it, ``writer`` the group commit,
``compaction`` what makes the log small again.
"""
