#!/bin/busybox sh
# The first program of a virtual machine: records curl and a Go server, and prints the
# session to the serial line.
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ifconfig lo 127.0.0.1 up
go-server serve 8443 /cert.pem /key.pem &
spliff record -o /tmp/session.spl >/tmp/said 2>&1 &
recorder=$!
until grep -q 'recording\|record:' /tmp/said && netstat -ltn | grep -q :8443; do usleep 200000; done
for file in /up/*; do
    curl -sk --http1.1 --data-binary @$file -o /dev/null https://127.0.0.1:8443/1/${file##*/} || echo "curl: $?"
done
kill -INT $recorder
wait $recorder
echo
cat /tmp/said
echo -----BEGIN SESSION-----
base64 /tmp/session.spl
echo -----END SESSION-----
poweroff -f
