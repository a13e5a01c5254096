"""Ground for every product: instances, keys, quotas, tags, errors, lists and their filters.

Nothing here knows a product.
"""
