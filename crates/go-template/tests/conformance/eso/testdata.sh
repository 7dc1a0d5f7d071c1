#!/usr/bin/env bash
# Makes the keys, certificates and PKCS#12 files of testdata again. They are for tests only: whoever
# reads this repository has the private keys. The golden file depends on them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/testdata"

key() { openssl genpkey -quiet -algorithm "${@:2}" -out "$1.key"; }
# issue NAME SUBJECT ISSUER EXTENSIONS...
issue() {
  local name=$1 subject=$2 issuer=$3
  shift 3
  openssl req -utf8 -new -key "$name.key" -subj "$subject" -out "$name.csr"
  printf '%s\n' "$@" > "$name.ext"
  local signer=(-CA "$issuer.crt" -CAkey "$issuer.key")
  [[ $issuer == "$name" ]] && signer=(-signkey "$name.key")
  openssl x509 -req -in "$name.csr" -days 36500 -extfile "$name.ext" "${signer[@]}" -out "$name.crt"
  rm "$name.csr" "$name.ext"
}

key root EC -pkeyopt ec_paramgen_curve:P-384
key intermediate RSA -pkeyopt rsa_keygen_bits:2048
key leaf RSA -pkeyopt rsa_keygen_bits:2048
key p256 EC -pkeyopt ec_paramgen_curve:P-256
key p521 EC -pkeyopt ec_paramgen_curve:P-521
key ed25519 ED25519
key x25519 X25519
key small RSA -pkeyopt rsa_keygen_bits:1024
for name in bare-root bare-intermediate bare-leaf; do key "$name" EC -pkeyopt ec_paramgen_curve:P-256; done

CA=("basicConstraints=critical,CA:TRUE" subjectKeyIdentifier=hash authorityKeyIdentifier=keyid)
issue root '/CN=Test Root' root "${CA[@]}"
issue intermediate '/C=DE/O=Test, Inc./OU=Test/CN=Test Intermediate' root "${CA[@]}"
issue leaf '/CN=leaf.example.com' intermediate subjectKeyIdentifier=hash authorityKeyIdentifier=keyid \
  'subjectAltName=DNS:leaf.example.com,DNS:*.example.com,IP:10.0.0.1,IP:2001:db8::1,email:a@example.com,URI:spiffe://example.com/x?y=1'
issue p256 '/C=DE/C=FR/ST=Hessen/L=Köln/O=a\+b/O="q"/serialNumber=1/emailAddress=a@example.com/CN= sp#ce ' p256 subjectKeyIdentifier=none
issue p521 '/CN=P-521' p521 "${CA[@]}"
issue ed25519 '/CN=Ed25519' p521 subjectKeyIdentifier=hash authorityKeyIdentifier=keyid
# Without key identifiers, only names tell who signed whom.
BARE=(subjectKeyIdentifier=none authorityKeyIdentifier=none)
issue bare-root '/CN=Bare Root' bare-root "${BARE[@]}"
issue bare-intermediate '/CN=Bare Intermediate' bare-root "${BARE[@]}"
issue bare-leaf '/CN=bare.example.com' bare-intermediate "${BARE[@]}" subjectAltName=DNS:bare.example.com
issue small '/CN=small' small "${CA[@]}"

openssl rsa -in leaf.key -traditional -out leaf-pkcs1.key
openssl ec -in p256.key -out p256-sec1.key
openssl pkey -in leaf.key -pubout -out leaf.pub
openssl dsaparam -out dsa.param 1024
openssl gendsa dsa.param | openssl pkey -traditional -out dsa.key
rm dsa.param

cat leaf.crt intermediate.crt root.crt > chain.pem
cat intermediate.crt root.crt leaf.crt > shuffled.pem
cat leaf.crt root.crt > gap.pem
cat leaf.crt ed25519.crt > disjunct.pem
cat root.crt leaf.key leaf.crt intermediate.key intermediate.crt > mixed.pem

export12() { openssl pkcs12 -export -inkey "$1.key" -in "$1.crt" "${@:3}" -out "$2.pfx"; }
export12 leaf leaf-empty -passout pass:
export12 leaf leaf-pass -passout pass:test-only -name friendly
export12 leaf leaf-legacy -passout pass:test-only -legacy
export12 leaf leaf-legacy-empty -passout pass: -legacy
export12 leaf leaf-3des -passout pass:test-only -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1
export12 leaf leaf-rc2-128 -passout pass:test-only -legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-3DES
export12 leaf leaf-aes128-sha512 -passout pass:test-only -certpbe AES-128-CBC -keypbe AES-192-CBC -macalg sha512
export12 leaf leaf-plain-cert -passout pass:test-only -certpbe NONE
export12 leaf leaf-nomac -passout pass: -nomac -certpbe NONE -keypbe NONE
export12 leaf leaf-chain -passout pass:test-only -certfile shuffled.pem
export12 leaf leaf-root -passout pass:test-only -certfile root.crt
export12 leaf leaf-disjunct -passout pass:test-only -certfile ed25519.crt
export12 leaf leaf-unicode -passout pass:pässwörd
export12 p256 p256 -passout pass:test-only
export12 p521 p521 -passout pass:test-only
export12 ed25519 ed25519 -passout pass:test-only
openssl pkcs12 -export -nokeys -in root.crt -passout pass:test-only -out nokey.pfx
openssl pkcs12 -export -nocerts -inkey leaf.key -passout pass:test-only -out nocert.pfx

for hash in sha1 sha256 sha512; do
  printf 'the secret' | openssl pkeyutl -encrypt -pubin -inkey leaf.pub -pkeyopt rsa_padding_mode:oaep \
    -pkeyopt "rsa_oaep_md:$hash" -pkeyopt "rsa_mgf1_md:$hash" -out "oaep-$hash.bin"
done
