"""Signatures of calls, in both schemes of the SDKs, checked against the account's keys."""
