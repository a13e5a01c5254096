"""HTTP below the API: requests and answers, connections that are kept or cut, bodies, TLS."""
