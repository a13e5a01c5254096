"""Is the co-located service serving?"""
