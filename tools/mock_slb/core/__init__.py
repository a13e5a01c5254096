"""What every product builds on: instances, keys, quotas, tags, errors, lists and their filters.

Nothing here knows a product.
"""
