#!/bin/sh
# What the virtual machine does once its file systems are there: network, modules, the command, power off. Output goes to a file
# that the host reads along; a share of the host is written at once, unlike a serial line it loses nothing and needs no settings.
cd "$RINGWIRE_VM" || busybox poweroff -f
hostname vm
busybox ip link set lo up
for module in tls ipv6 veth sch_netem; do busybox modprobe "$module"; done
# ::1 comes with the module only when the interface is told again.
echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6
echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6
# As on a host: the default here is 4,096, and tests fill up what there is.
ulimit -n 20000
# The host waits no longer either: nothing lives on when it has died.
{ sleep "$(cat limit)"; echo "session: out of time"; busybox poweroff -f; } &
setsid /bin/sh ./command >output 2>&1 </dev/null
echo $? >status
sync
busybox poweroff -f
