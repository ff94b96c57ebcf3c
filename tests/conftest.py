"""What every suite shares: property tests that do not race a clock."""

from hypothesis import settings

# A busy machine is not a failing example. Under CI the present profile draws the same examples
# each time.
settings.register_profile("quorate", settings(), deadline=None)
settings.load_profile("quorate")
