"""``doctor``: is the installation in order, and what would mend it if not?"""
