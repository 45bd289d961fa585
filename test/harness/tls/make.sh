#!/bin/sh
# Makes the certificates of this folder anew, with openssl; the tests themselves need only the files.
set -eu
cd "$(dirname "$0")"
days=36500

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# self NAME SUBJECT EXTENSION...
self() {
  name=$1 subject=$2
  shift 2
  key "$name"
  set -- $(for extension; do printf -- '-addext %s ' "$extension"; done)
  openssl req -x509 -utf8 -new -key "$name.key" -subj "$subject" -days $days "$@" -out "$name.pem"
}

# signed NAME SUBJECT AUTHORITY DAYS EXTENSIONS
signed() {
  key "$1"
  printf '%b\n' "$5" >extensions
  openssl req -utf8 -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -days "$4" -extfile extensions -out "$1.pem"
  rm -f extensions "$3.srl"
}

# Of sites: a.pem is a chain of two, below ca.pem.
self ca "/CN=Test root"
signed between "/CN=Test authority" ca $days "basicConstraints=critical,CA:TRUE"
signed a "/CN=a.example" between $days "subjectAltName=DNS:a.example,DNS:*.a.example"
cat between.pem >>a.pem
self b "/CN=ignored.example" "subjectAltName=DNS:B.example,DNS:shared.example,IP:127.0.0.1"
self b-renewed "/CN=ignored.example" "subjectAltName=DNS:b.example,DNS:new.example"

# Of clients.
self client-ca "/CN=Test client authority"
signed alice '/O=Größe\+Weite "AG", Ltd./CN=Alice' client-ca $days "extendedKeyUsage=clientAuth"
signed ended "/CN=Ended" client-ca -1 "extendedKeyUsage=clientAuth"
self stranger "/CN=Alice"

rm ca.key between.pem between.key client-ca.key
