# Shell functions of the demo: a throw-away HTTPS server.
# Sourced, not run. Everything lives in $work and ends with the script.

work=$(mktemp -d)
mkdir "$work/www" "$work/tmp"
pids=()

# Ends what this script started, by pid, and nothing else.
finish() {
    for p in "${pids[@]}"; do
        kill "$p" 2>/dev/null && wait "$p" 2>/dev/null
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# missing_for_recording prints what this machine lacks, nothing if it can record.
missing_for_recording() {
    [ "$(uname -s)" = Linux ] || { echo "Linux"; return; }
    [ "$(id -u)" -eq 0 ] || echo "root (run it with sudo)"
    [ -r /sys/kernel/btf/vmlinux ] || echo "a kernel with BTF (/sys/kernel/btf/vmlinux)"
    local release major minor
    release=$(uname -r)
    major=${release%%.*} minor=${release#*.} minor=${minor%%[!0-9]*}
    [ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -ge 6 ]; } || echo "Linux 6.6 or newer (this is $release)"
    for tool in nginx openssl "$@"; do
        PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || echo "$tool"
    done
}

# start_nginx starts nginx with HTTP/1.1 and HTTP/2 on a free loopback port and
# sets $port and $nginx_pid.
start_nginx() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    local try
    for try in 1 2 3 4 5 6 7 8; do
        port=$((20000 + RANDOM % 10000))
        write_nginx_conf
        PATH=$PATH:/usr/sbin nginx -e "$work/error.log" -p "$work" -c "$work/nginx.conf" &
        nginx_pid=$!
        pids+=("$nginx_pid")
        for _ in $(seq 50); do
            kill -0 "$nginx_pid" 2>/dev/null || continue 2 # the port was taken: try another
            curl -s -o /dev/null --cacert "$work/cert.pem" "https://localhost:$port/" && return 0
            sleep 0.1
        done
    done
    echo "nginx does not start:" >&2
    cat "$work/error.log" >&2
    return 1
}

# One process without a master: it ends with one signal to one pid.
write_nginx_conf() {
    cat >"$work/nginx.conf" <<CONF
daemon off;
master_process off;
pid $work/nginx.pid;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $work/tmp/b; proxy_temp_path $work/tmp/p; fastcgi_temp_path $work/tmp/f;
    uwsgi_temp_path $work/tmp/u; scgi_temp_path $work/tmp/s;
    types { application/json json; text/html html; text/plain txt; }
    default_type text/plain;
    gzip on; gzip_min_length 1; gzip_types application/json;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:$port ssl http2;
        ssl_certificate $work/cert.pem;
        ssl_certificate_key $work/key.pem;
        root $work/www;
        location = / { return 200 "hello over TLS\n"; }
        location = /orders { return 201 "{\"order\": 42, \"state\": \"accepted\"}\n"; }
        location = /old { return 302 /; }
    }
}
CONF
}
