"""A stand-in for the agent, in the place of the packages, that says what it was called with."""

from __future__ import annotations

from demo.vm import Vm

from .machine import write_program

LAUNCHER = "packages/aliyun_py/bin/slb-registration"  # below /var/vcap

# run: lives until it is told to end. Everything else: tells user, arguments and environment.
AGENT = """\
#!/bin/sh
if [ "$1" = run ]; then
  TRAP
  echo "out of $$"
  echo "err of $$" >&2
  while :; do sleep 0.05; done
fi
echo "user=$(id -un) arguments=$*"
env
echo "noise" >&2
exit CODE
"""


def put_agent(vm: Vm, *, code: int = 0, trap: str = "trap 'exit 0' TERM") -> None:
    launcher = vm.vcap / LAUNCHER
    launcher.parent.mkdir(parents=True, exist_ok=True)
    launcher.unlink(missing_ok=True)
    write_program(launcher, AGENT.replace("CODE", str(code)).replace("TRAP", trap))
    launcher.chmod(0o755)
