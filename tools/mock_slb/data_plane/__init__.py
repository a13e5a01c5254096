"""Forwarding by the mocked load balancers, through HAProxy: listeners are ports on loopback.

The account knows nothing of this room, and HAProxy checks no health. From the ground up:

- `settings`: what is chosen, also where the products' documentation contradicts itself
- `seen`: what the account says of listeners and of who is behind them
- `lag`: how long that takes to get here
- `rules`: who gets new connections, and whose connections end
- `config`, `haproxy`: one HAProxy process for each listener, so that none is disturbed by another
- `counts`, `traffic`: what went where
- `follow`: compares what is wanted with what a process has, and closes the gap
- `listening`: a listener's port, and the processes behind it
- `plane`: all of it, over and over again
"""
