#!/bin/sh
# Makes what the compose deployment keeps secret, into compose/secrets (or the folder that is given): passwords,
# keys, and certificates of an authority of its own. What is there already stays: remove a file to have it made anew.
set -eu

folder=${1:-$(dirname "$0")/secrets}
hosts=${HOSTS:-localhost} # names by which clients from outside call the gateway, with commas between them
days=${DAYS:-825}
umask 077
mkdir -p "$folder"
cd "$folder"

command -v openssl >/dev/null 2>&1 || { echo "make-secrets: openssl is needed" >&2; exit 1; }

# Nobody else gets into the folder. The files themselves are readable: a container's user is not the one who made them.
keep() { # keep NAME: standard input becomes the secret, unless it is there
    if [ -s "$1" ]; then cat >/dev/null; else
        cat >"$1.part"
        chmod "${2:-444}" "$1.part"
        mv "$1.part" "$1"
        echo "made $folder/$1" >&2
    fi
}
CURVE=ec_paramgen_curve:prime256v1
word() { openssl rand -hex 32 | tr -d '\n'; }

for user in broker admin worker gateway feeds demo; do word | keep "kafka_${user}_password"; done
printf '%s:%s' "$(date -u +%Y%m%d)" "$(word)" | keep gateway_token_keys
word | keep gateway_operator_key
word | keep grafana_admin_password

# Redis: the worker's user may do what the online store needs; who has no password may ask whether it lives
if [ ! -s redis_url ] || [ ! -s redis_users ]; then
    rm -f redis_url redis_tls_url redis_users
    password=$(word)
    printf 'redis://worker:%s@redis:6379/0' "$password" | keep redis_url
    printf 'rediss://worker:%s@redis:6379/0?ssl_ca_certs=/run/secrets/ca_certificate' "$password" | keep redis_tls_url
    hash=$(printf %s "$password" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
    rights='~walker:* ~edge:* ~cell:* ~crowd:* -@all +evalsha +eval +script|load +set +del +ping +select'
    printf 'user default on nopass resetkeys resetchannels -@all +ping\nuser worker on #%s resetchannels %s\n' \
        "$hash" "$rights" | keep redis_users
fi

if [ ! -s ca_certificate ]; then
    openssl req -x509 -newkey ec -pkeyopt "$CURVE" -nodes -days 3650 -subj "/CN=Flaneur's own authority" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout ca.key -out ca.crt 2>/dev/null
    keep ca_certificate <ca.crt
    rm ca.crt
fi

certificate() { # certificate NAME SUBJECT_ALTERNATIVES: NAME.key and NAME.crt, signed by the authority
    openssl req -new -newkey ec -pkeyopt "$CURVE" -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' "$2" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca_certificate -CAkey ca.key -CAcreateserial -days "$days" \
        -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    rm "$1.csr" "$1.ext"
}

if [ ! -s kafka_tls ]; then
    certificate kafka DNS:kafka,DNS:localhost,IP:127.0.0.1
    cat kafka.key kafka.crt | keep kafka_tls
    rm kafka.key kafka.crt
fi
if [ ! -s redis_tls_key ] || [ ! -s redis_tls_certificate ]; then
    rm -f redis_tls_key redis_tls_certificate
    certificate redis DNS:redis,DNS:localhost,IP:127.0.0.1
    keep redis_tls_certificate <redis.crt
    keep redis_tls_key <redis.key
    rm redis.key redis.crt
fi
if [ ! -s gateway_tls_key ] || [ ! -s gateway_tls_certificate ]; then
    rm -f gateway_tls_key gateway_tls_certificate
    certificate gateway "DNS:gateway,IP:127.0.0.1,DNS:$(printf %s "$hosts" | sed 's/,/,DNS:/g')"
    keep gateway_tls_certificate <gateway.crt
    keep gateway_tls_key <gateway.key
    rm gateway.key gateway.crt
fi
