#!/usr/bin/env bash
# Runs a command beside the project on an emulated machine, with a kernel and the Python 3.11 of Debian 12, as its root.
#
#   tests/emulated.sh arm64 'python3 -m jupyter_sandbox doctor'
#   tests/emulated.sh arm64 'python3 -m pytest -q tests/isolation'
#   tests/emulated.sh amd64 'setpriv --reuid 1000 --clear-groups env HOME=/tmp USER=user python3 -m jupyter_sandbox doctor'
#   APPEND=lsm=yama tests/emulated.sh arm64 …             a kernel without Landlock
#   KERNEL=/path/to/vmlinuz tests/emulated.sh arm64 …     another kernel: one that has all it needs to print built in
#
# Needs root, mmdebstrap, cpio, qemu-system-arm (arm64) or qemu-system-x86 (amd64) and the project's .venv. A minute to
# prepare, once. A nanosecond passes there with each instruction, so that limits of time hold, however slow this is.
set -euo pipefail
arch=$1 command=$2
case $arch in
  arm64) machine=aarch64 console=ttyAMA0 emulator=(qemu-system-aarch64 -machine virt,gic-version=3 -cpu max,pauth-impdef=on) ;;
  amd64) machine=x86_64 console=ttyS0 emulator=(qemu-system-x86_64 -machine q35 -cpu max) ;;
  *) echo "no such machine: $arch; say arm64 or amd64" >&2; exit 2 ;;
esac
project=$(cd "$(dirname "$0")/.." && pwd)
work=${WORK:-${TMPDIR:-/tmp}/emulated-$arch}
root=$work/root libraries=$work/root/usr/local/lib/python3.11/dist-packages

if [ ! -e "$work/ready" ]; then
  rm -rf "$work" && mkdir -p "$work"
  mmdebstrap --quiet --arch="$arch" --variant=extract \
    --include="base-files,base-passwd,bash,busybox-static,coreutils,git,libstdc++6,linux-image-cloud-$arch,python3,tzdata,util-linux" bookworm "$root"
  mv "$root"/boot/vmlinuz-* "$work/vmlinuz" && rm -rf "$root"/boot/* "$root"/lib/modules "$root"/usr/share/doc
  ln -sf bash "$root/bin/sh"
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  "$project/.venv/bin/python" - "$project/pyproject.toml" > "$work/needed" <<'PYTHON'
import sys, tomllib
needs = tomllib.load(open(sys.argv[1], "rb"))["project"]
found = needs["dependencies"] + needs["optional-dependencies"]["test"]
print(*(one for one in found if not one.startswith(("jupyterlab", "playwright", "import-linter"))), sep="\n")
PYTHON
  platforms=$(for minor in 17 24 26 27 28; do echo "--platform manylinux_2_${minor}_$machine"; done)
  # shellcheck disable=SC2086
  "$project/.venv/bin/pip" install --quiet --target "$libraries" --requirement "$work/needed" \
    --only-binary :all: --implementation cp --python-version 3.11 $platforms
  touch "$work/ready"
fi

rm -rf "$root/srv/project" && mkdir -p "$root/srv/project"
(cd "$project" && cp -r jupyter_sandbox tests docs notebooks pyproject.toml README.md "$root/srv/project/")
printf '%s\n' "$command" > "$root/command"
cat > "$root/init" <<'INIT'
#!/bin/busybox sh
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root PYTHONPATH=/srv/project
export HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis
busybox mount -t proc proc /proc && busybox mount -t sysfs sys /sys && busybox mount -t devtmpfs dev /dev
mkdir -p /dev/shm && busybox mount -t tmpfs -o mode=1777 shm /dev/shm
busybox mount -t tmpfs -o mode=1777 tmp /tmp && busybox ip link set lo up
chmod -R a+rX /srv && cd /srv/project && bash /command < /dev/null > /dev/console 2>&1
echo "exit: $?" > /dev/console
busybox poweroff -f
INIT
chmod 755 "$root/init" "$root"
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) > "$work/initrd"
nice -n 19 "${emulator[@]}" -accel tcg,thread=single -icount shift=0 -rtc clock=vm -smp 1 -m "${MEMORY:-4096}" \
  -nodefaults -nographic -no-reboot -serial stdio -kernel "${KERNEL:-$work/vmlinuz}" -initrd "$work/initrd" \
  -append "console=$console quiet panic=-1 ${APPEND:-}" < /dev/null | tee "$work/console"
exit "$(tr -d '\r' < "$work/console" | sed -n 's/^exit: //p' | tail -n 1 | grep . || echo 1)"
