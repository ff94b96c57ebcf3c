"""Running safety gates: suites, what they ask, how answers are judged, and the HTTP that asks.

Suites are plug-ins (:mod:`quorate_evaluation.interface`). Everything but
:mod:`quorate_evaluation.endpoint` and :mod:`quorate_evaluation.runner` is pure: texts in, figures
out.
"""
