"""Is the mounted model, byte by byte, the one that was certified?"""
