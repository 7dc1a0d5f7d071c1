// Reads SSH key pairs with the library that most Go programs read them with. Its input is a JSON list of `private` and
// `public`; for each it prints the type, the comment, and that the private key signs what the public one verifies.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/crypto/ssh"
)

type pair struct {
	Private string `json:"private"`
	Public  string `json:"public"`
}

func main() {
	var pairs []pair
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		fail(err)
	}
	for _, pair := range pairs {
		line, err := read(pair)
		if err != nil {
			fail(err)
		}
		fmt.Println(line)
	}
}

func read(pair pair) (string, error) {
	signer, err := ssh.ParsePrivateKey([]byte(pair.Private))
	if err != nil {
		return "", err
	}
	public, comment, _, rest, err := ssh.ParseAuthorizedKey([]byte(pair.Public))
	if err != nil {
		return "", err
	}
	if len(rest) > 0 {
		return "", fmt.Errorf("more than one line")
	}
	if !bytes.Equal(public.Marshal(), signer.PublicKey().Marshal()) {
		return "", fmt.Errorf("the keys are not a pair")
	}
	text := []byte("text")
	signature, err := signer.Sign(rand.Reader, text)
	if err != nil {
		return "", err
	}
	if err := public.Verify(text, signature); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %q", public.Type(), comment), nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
