#!/bin/sh
# Process 1 of the virtual machine (virtual_machine.mjs starts it, and says where its folder is in RINGWIRE_VM): puts a
# file system in memory over the host's, which stays as it is, and goes on in there with session.sh.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
kernel=$(uname -r)
modules=/usr/lib/uml/modules/$kernel
fail() {
	echo "init: $*"
	busybox poweroff -f
}

mount -t proc proc /proc || fail "no /proc"
busybox insmod "$modules/kernel/fs/overlayfs/overlay.ko" || fail "no overlay file system in $modules"
mount -t tmpfs -o mode=755 tmpfs /mnt || fail "no file system in memory"
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root || fail "no overlay"
cd /mnt/root || fail "no root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devices dev
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs tmpfs run
mkdir -p ".$RINGWIRE_VM"
mount -t hostfs host ".$RINGWIRE_VM" -o "$RINGWIRE_VM" || fail "cannot share $RINGWIRE_VM"
mkdir -p lib/modules
rm -rf "lib/modules/$kernel"
ln -s "$modules" "lib/modules/$kernel"
# The kernel loads ciphers by this program. Without it a socket takes the ULP, refuses the key, and OpenSSL goes on without kTLS.
[ -x sbin/modprobe ] || { printf '#!/bin/sh\nexec busybox modprobe "$@"\n' >sbin/modprobe && chmod 755 sbin/modprobe; }
mkdir -p .host
pivot_root . .host || fail "cannot change the root"
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin
ln -sf fd/1 /dev/stdout
ln -sf fd/2 /dev/stderr
exec chroot . /bin/sh "$RINGWIRE_VM/session.sh" </dev/console >/dev/console 2>&1
