package main

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"
	"time"

	"golang.org/x/crypto/bcrypt"
	"software.sslmate.com/src/go-pkcs12"
)

// runChecks renders templates that look at what our functions gave, which is their data.
func runChecks(encoder *json.Encoder) error {
	maps.Copy(functions, template.FuncMap{
		"bcryptMatches": func(hash, password string) bool {
			return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
		},
		"certFacts":  certFacts,
		"serialTime": serialTime,
		"storeFacts": storeFacts,
	})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var check struct {
			Template string
			Data     map[string][]byte
		}
		if err := json.Unmarshal(lines.Bytes(), &check); err != nil {
			return err
		}
		data := map[string]string{}
		for key, value := range check.Data {
			data[key] = string(value)
		}
		if err := encoder.Encode(render(check.Template, data)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func certificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// certFacts tells what must be the same of each certificate that is made from the same arguments.
func certFacts(text, keyText, authority string) (string, error) {
	cert, err := certificate(text)
	if err != nil {
		return "", err
	}
	ca, err := certificate(authority)
	if err != nil {
		return "", err
	}
	key, err := privateKey(keyText)
	if err != nil {
		return "", err
	}
	public, err := x509.MarshalPKIXPublicKey(key.(crypto.Signer).Public())
	if err != nil {
		return "", err
	}
	var extensions []string
	for _, extension := range cert.Extensions {
		extensions = append(extensions, fmt.Sprint(extension.Id, extension.Critical))
	}
	kind, _, _ := strings.Cut(keyText, "\n")
	return fmt.Sprintln(cert.Version, cert.Subject, cert.Issuer, cert.SignatureAlgorithm, cert.KeyUsage, cert.ExtKeyUsage,
		cert.IsCA, cert.MaxPathLen, cert.NotAfter.Sub(cert.NotBefore), time.Since(cert.NotBefore) < time.Hour, cert.DNSNames,
		cert.IPAddresses, len(cert.SubjectKeyId), len(cert.AuthorityKeyId), extensions, cert.SerialNumber.BitLen() > 64,
		bytes.Equal(public, cert.RawSubjectPublicKeyInfo), len(public), ca.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature), kind), nil
}

// serialTime is the serial number in hexadecimal digits, and the second in which the certificate was
// made.
func serialTime(text string) (string, error) {
	cert, err := certificate(text)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%032x %d", cert.SerialNumber, cert.NotBefore.Unix()), nil
}

// storeFacts tells the subjects of the certificates that a PKCS#12 file trusts, and their names.
func storeFacts(file, password string) (string, error) {
	certs, err := pkcs12.DecodeTrustStore([]byte(file), password)
	if err != nil {
		return "", err
	}
	blocks, err := pkcs12.ToPEM([]byte(file), password)
	var names []string
	for _, block := range blocks {
		names = append(names, slices.Sorted(maps.Values(block.Headers))...)
	}
	var subjects []string
	for _, cert := range certs {
		subjects = append(subjects, cert.Subject.String())
	}
	return fmt.Sprintf("%q %q %v", subjects, names, err), nil
}
