"""ALB (Alb 2020-06-16) and NLB (Nlb 2022-04-30): server groups whose changes take time.

`fleet` holds what an account has of one of the two products; `alb` and `nlb` are their APIs.
Fields, limits and error codes are those of the public API reference.
"""
