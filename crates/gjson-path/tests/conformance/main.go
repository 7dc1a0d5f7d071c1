// Command gjson prints what the Go library finds for paths in JSON documents.
//
// Without flags it reads cases.json from standard input and prints the golden file. With -random it
// makes up documents and paths itself and prints them with the results.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// group is a document and the paths to look up in it.
type group struct {
	About    string   `json:"about"`
	Document string   `json:"document"`
	Bytes    []byte   `json:"document_base64"`
	Paths    []string `json:"paths"`
}

// result is what one path finds. Kind is empty where it finds nothing.
type result struct {
	Document  []byte `json:"document_base64,omitempty"`
	PathBytes []byte `json:"path_base64,omitempty"`
	Path      string `json:"path"`
	Kind      string `json:"kind"`
	Raw       string `json:"raw,omitempty"`
	RawBytes  []byte `json:"raw_base64,omitempty"`
	Text      string `json:"text,omitempty"`
	TextBytes []byte `json:"text_base64,omitempty"`
}

func main() {
	random := flag.Int("random", 0, "how many random cases to print")
	seed := flag.Uint64("seed", 1, "the seed of the random cases")
	flag.Parse()
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := run(encoder, *random, *seed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(encoder *json.Encoder, random int, seed uint64) error {
	if random > 0 {
		return runRandom(encoder, random, seed)
	}
	var groups []group
	if err := json.NewDecoder(os.Stdin).Decode(&groups); err != nil {
		return err
	}
	for _, group := range groups {
		document := group.Document
		if group.Bytes != nil {
			document = string(group.Bytes)
		}
		for _, path := range group.Paths {
			found, ok := lookUp(document, path)
			if !ok {
				return fmt.Errorf("the library panics on %q in %q", path, document)
			}
			found.Path = path
			if err := encoder.Encode(found); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookUp asks the library; ok is false where it panics.
func lookUp(document, path string) (found result, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	value := gjson.Get(document, path)
	if value.Exists() {
		found.Kind = value.Type.String()
		found.Raw, found.RawBytes = readable(value.Raw)
		found.Text, found.TextBytes = readable(value.String())
	}
	return found, true
}

// readable gives the text if it can be written as a JSON string without loss, else the bytes.
func readable(text string) (string, []byte) {
	if utf8.ValidString(text) {
		return text, nil
	}
	return "", []byte(text)
}
