"""install_wheels.py FOLDER WHEEL...: unpacks wheels into a folder and compiles what is in them.

They are pure Python: unpacking is all that pip would do, and needs no network. They cannot stay
zipped, since the SDK opens its data files by path. Compiled now, because vcap may not write there
later, and at each start it would cost a quarter of a second. In one process: a deploy waits for it.
"""

import compileall
import sys
import zipfile

folder, *wheels = sys.argv[1:]
for wheel in wheels:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
sys.exit(not compileall.compile_dir(folder, quiet=1))
