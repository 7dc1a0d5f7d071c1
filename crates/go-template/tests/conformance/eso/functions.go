package main

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"golang.org/x/crypto/bcrypt"
	"software.sslmate.com/src/go-pkcs12"
)

// functions are those of the templates.
var functions = joined(sprig.TxtFuncMap(), template.FuncMap{
	"certSANs":         certSANs,
	"filterCertChain":  filterCertChain,
	"filterPEM":        filterPEM,
	"fromYaml":         fromYaml,
	"htpasswd":         htpasswd,
	"jwkPrivateKeyPem": jwkPrivateKeyPem,
	"jwkPublicKeyPem":  jwkPublicKeyPem,
	"keysAndValues":    keysAndValues,
	"pkcs12cert":       func(file string) (string, error) { return pkcs12cert("", file) },
	"pkcs12certPass":   pkcs12cert,
	"pkcs12key":        func(file string) (string, error) { return pkcs12key("", file) },
	"pkcs12keyPass":    pkcs12key,
	"rsaDecrypt":       rsaDecrypt,
	"toYaml":           toYaml,
	"yamlJSON":         yamlJSON,

	"pemToPkcs12":               func(cert, key string) (string, error) { return pemToPkcs12(cert, key, "") },
	"pemToPkcs12Pass":           pemToPkcs12,
	"fullPemToPkcs12":           func(certs, key string) (string, error) { return fullPemToPkcs12(certs, key, "") },
	"fullPemToPkcs12Pass":       fullPemToPkcs12,
	"pemTruststoreToPKCS12":     func(certs string) (string, error) { return trustStore(certs, "") },
	"pemTruststoreToPKCS12Pass": trustStore,
})

func joined(all, more template.FuncMap) template.FuncMap {
	maps.Copy(all, more)
	return all
}

// htpasswd has a third parameter in ESO.
func htpasswd(user, password, algorithm string) (string, error) {
	switch {
	case strings.Contains(user, ":"):
		return "invalid username: " + user, nil
	case algorithm == "sha":
		sum := sha1.Sum([]byte(password))
		return user + ":{SHA}" + base64.StdEncoding.EncodeToString(sum[:]), nil
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		hash = fmt.Appendf(nil, "failed to encrypt string with bcrypt: %s", err)
	}
	return user + ":" + string(hash), nil
}

func encoded(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func afterJunk(text string) []byte {
	return []byte(text[max(0, strings.Index(text, "-----BEGIN")):])
}

func filterPEM(kind, text string) (string, error) {
	var found strings.Builder
	rest := afterJunk(text)
	for block, after := pem.Decode(rest); block != nil; block, after = pem.Decode(rest) {
		rest = after
		if !strings.EqualFold(block.Type, kind) {
			continue
		}
		if err := pem.Encode(&found, block); err != nil {
			return "", err
		}
	}
	if found.Len() == 0 && len(rest) != 0 {
		return "", errors.New("error filtering pem: found junk")
	}
	return found.String(), nil
}

// ordered gives certificates from the leaf to the root, by their key identifiers.
func ordered(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, certificate)
	}
	parents, isParent := make([]int, len(all)), make([]bool, len(all))
	for i, child := range all {
		parents[i] = slices.IndexFunc(all, func(other *x509.Certificate) bool {
			return other != child && bytes.Equal(child.AuthorityKeyId, other.SubjectKeyId)
		})
		if parents[i] >= 0 {
			isParent[parents[i]] = true
		}
	}
	leaf := slices.Index(isParent, false)
	switch {
	case leaf < 0:
		return nil, errors.New("no leaf certificate found")
	case slices.Contains(isParent[leaf+1:], false):
		return nil, errors.New("found multiple leaf or disjunct certificates")
	}
	var chain []*x509.Certificate
	for at := leaf; at >= 0; at = parents[at] {
		if len(chain) == len(all) {
			return nil, errors.New("constructing chain resulted in cycle")
		}
		chain = append(chain, all[at])
	}
	return chain, nil
}

func isRoot(certificate *x509.Certificate) bool {
	return certificate.AuthorityKeyId == nil || bytes.Equal(certificate.AuthorityKeyId, certificate.SubjectKeyId)
}

func filterCertChain(kind, text string) (string, error) {
	chain, err := ordered([]byte(text))
	if err != nil {
		return "", err
	}
	var found string
	switch first, last := chain[0], chain[len(chain)-1]; kind {
	case "leaf":
		if !isRoot(first) {
			found = encoded("CERTIFICATE", first.Raw)
		}
	case "intermediate":
		for _, certificate := range chain[1:] {
			if isRoot(certificate) {
				break
			}
			found += encoded("CERTIFICATE", certificate.Raw)
		}
	case "root":
		if isRoot(last) {
			found = encoded("CERTIFICATE", last.Raw)
		}
	}
	return found, nil
}

func certSANs(text string) ([]string, error) {
	block, _ := pem.Decode(afterJunk(text))
	if block == nil {
		return nil, errors.New("failed to decode PEM block")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("failed to parse certificate: %w", err)
	}
	names := slices.Clone(certificate.DNSNames)
	for _, ip := range certificate.IPAddresses {
		names = append(names, ip.String())
	}
	names = append(names, certificate.EmailAddresses...)
	for _, uri := range certificate.URIs {
		names = append(names, uri.String())
	}
	return names, nil
}

func jwkPublicKeyPem(text string) (string, error) {
	return jwkPem(text, "PUBLIC KEY", x509.MarshalPKIXPublicKey)
}

func jwkPrivateKeyPem(text string) (string, error) {
	return jwkPem(text, "PRIVATE KEY", x509.MarshalPKCS8PrivateKey)
}

func jwkPem(text, kind string, marshal func(any) ([]byte, error)) (string, error) {
	key, err := jwk.ParseKey([]byte(text))
	if err != nil {
		return "", err
	}
	var raw any
	if err := key.Raw(&raw); err != nil {
		return "", err
	}
	der, err := marshal(raw)
	if err != nil {
		return "", err
	}
	return encoded(kind, der), nil
}

func privateKey(text string) (any, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("failed to decode PEM block")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, errors.New("unable to parse private key type")
}

func rsaDecrypt(scheme, hash, text, keyText string) (string, error) {
	if scheme == "None" {
		return text, nil
	}
	if scheme != "RSA-OAEP" {
		return "", errors.New("decryption scheme is not supported")
	}
	key, err := privateKey(keyText)
	if err != nil {
		return "", err
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return "", errors.New("could not parse RSA private key")
	}
	hashes := map[string]crypto.Hash{"SHA1": crypto.SHA1, "SHA512": crypto.SHA512}
	chosen, ok := hashes[hash]
	if !ok {
		chosen = crypto.SHA256
	}
	decrypted, err := rsa.DecryptOAEP(chosen.New(), nil, rsaKey, []byte(text), nil)
	return string(decrypted), err
}

func pkcs12key(password, file string) (string, error) {
	key, _, _, err := pkcs12.DecodeChain([]byte(file), password)
	if err != nil {
		return "", fmt.Errorf("unable to decode pkcs12 with password: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encoded("PRIVATE KEY", der), err
}

func pkcs12cert(password, file string) (string, error) {
	_, certificate, others, err := pkcs12.DecodeChain([]byte(file), password)
	if err != nil {
		return "", fmt.Errorf("unable to decode pkcs12 certificate with password: %w", err)
	}
	text := joinedPEM(append([]*x509.Certificate{certificate}, others...))
	if chain, err := ordered([]byte(text)); err == nil {
		return joinedPEM(chain), nil
	}
	return text, nil
}

func joinedPEM(certificates []*x509.Certificate) string {
	var text string
	for _, certificate := range certificates {
		text += encoded("CERTIFICATE", certificate.Raw)
	}
	return text
}

// all reads certificates, between and after which nothing may stand.
func all(text []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for len(text) > 0 {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("no PEM block")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found, text = append(found, certificate), rest
	}
	return found, nil
}

func pemToPkcs12(cert, key, password string) (string, error) {
	block, _ := pem.Decode([]byte(cert))
	if block == nil {
		return "", errors.New("no PEM block")
	}
	return fullPemToPkcs12(encoded("CERTIFICATE", block.Bytes), key, password)
}

func fullPemToPkcs12(certs, keyText, password string) (string, error) {
	certificates, err := all([]byte(certs))
	if err != nil {
		return "", err
	}
	key, err := privateKey(keyText)
	if err != nil {
		return "", err
	}
	if len(certificates) == 0 {
		return "", errors.New("no PEM block")
	}
	file, err := pkcs12.Modern.Encode(key, certificates[0], certificates[1:], password)
	return base64.StdEncoding.EncodeToString(file), err
}

func trustStore(certs, password string) (string, error) {
	certificates, err := all([]byte(certs))
	if err != nil {
		return "", err
	}
	file, err := pkcs12.Modern.EncodeTrustStore(certificates, password)
	return base64.StdEncoding.EncodeToString(file), err
}
