"""`make bench-traffic`: requests through the mocked load balancers while VMs restart, fail and go.

- `namespaces`: a private part of this machine, and a network namespace in it for each VM
- `cloud`: the mocked account, and the addresses where it listens and forwards
- `service`, `vm`: what runs on a VM, and BOSH's steps on it; `wire`: HTTP by hand
- `schedule`, `client`, `verdict`: what is asked when, by whom, and what became of it
- `methods`, `plays`: how a VM comes and goes, and what happens to the VMs
- `asking`, `cells`: one play with one method
- `outcome`, `totals`, `table`, `plot`, `report`: its figures, and how they are shown
- `options`: what is to be played
- `real`, `real_file`, `watching`: the same client against real load balancers
"""
