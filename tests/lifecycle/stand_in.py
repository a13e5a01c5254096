"""A stand-in for the agent, in the place of the packages, that says what it was called with."""

from __future__ import annotations

from tests.lifecycle.machine import write_program

from demo.vm import Vm

LAUNCHER = "packages/aliyun_py/bin/slb-registration"  # below /var/vcap

# run --log-dir DIR: lives until it is told to end. Everything else: tells user, arguments and
# environment, and makes some noise on stderr and in --log-file.
AGENT = """\
#!/bin/sh
if [ "$1" = run ]; then
  exec >>"$3/agent.stdout.log" 2>>"$3/agent.stderr.log"
  TRAP
  echo "out of $$"
  echo "err of $$" >&2
  while :; do sleep 0.05; done
fi
echo "user=$(id -un) arguments=$*"
env
echo "noise" >&2
case "$*" in
*--log-file*) echo "noise" >>"${*##*--log-file }" ;;
esac
exit CODE
"""


def put_agent(vm: Vm, *, code: int = 0, trap: str = "trap 'exit 0' TERM") -> None:
    launcher = vm.vcap / LAUNCHER
    launcher.parent.mkdir(parents=True, exist_ok=True)
    launcher.unlink(missing_ok=True)
    write_program(launcher, AGENT.replace("CODE", str(code)).replace("TRAP", trap))
    launcher.chmod(0o755)
