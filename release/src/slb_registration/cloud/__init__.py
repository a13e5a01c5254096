"""One client of the Alibaba Cloud SDK: keys, endpoints, errors; every trap of the SDK ends here."""
