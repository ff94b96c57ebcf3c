"""Policy reports: the verdicts of a preview as OpenReports objects, for other dashboards."""
