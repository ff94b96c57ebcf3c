"""The pure library: types, verification and decisions. Opens no socket and reads no clock."""
