"""Previews: what policies, or another mode, would refuse today, and what each owner must do."""
