// Command eso prints what the libraries that ESO uses make of templates: sprig, go-pkcs12, jwx and
// sigs.k8s.io/yaml, joined to functions as ESO documents them.
//
// Without flags it reads cases.json from standard input and prints the golden file. With -random it
// makes up YAML itself and prints it with the results. With -check it reads what our functions gave
// from standard input, one JSON object a line, and prints what Go finds in it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"text/template"
	"unicode/utf8"
)

// group is templates that get the same data, or each document in turn as .d.
type group struct {
	About     string            `json:"about"`
	Data      json.RawMessage   `json:"data"`
	Documents []string          `json:"documents"`
	Templates []json.RawMessage `json:"templates"`
}

// result is what becomes of one template.
type result struct {
	Template    string          `json:"template"`
	Document    *string         `json:"d,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
	Output      *string         `json:"output,omitempty"`
	OutputBytes []byte          `json:"output_base64,omitempty"`
	Error       string          `json:"error,omitempty"`
}

func main() {
	random := flag.Int("random", 0, "how many random cases to print")
	seed := flag.Uint64("seed", 1, "the seed of the random cases")
	check := flag.Bool("check", false, "check what our functions gave")
	flag.Parse()
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	run := runCases
	switch {
	case *random > 0:
		run = func(encoder *json.Encoder) error { return runRandom(encoder, *random, *seed) }
	case *check:
		run = runChecks
	}
	if err := run(encoder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runCases(encoder *json.Encoder) error {
	var groups []group
	if err := json.NewDecoder(os.Stdin).Decode(&groups); err != nil {
		return err
	}
	for _, group := range groups {
		if err := runGroup(encoder, group); err != nil {
			return fmt.Errorf("%s: %w", group.About, err)
		}
	}
	return nil
}

func runGroup(encoder *json.Encoder, group group) error {
	data, err := decodeData(group.Data)
	if err != nil {
		return err
	}
	for _, raw := range group.Templates {
		text, err := templateText(raw)
		if err != nil {
			return err
		}
		if group.Documents == nil {
			if err := encoder.Encode(render(text, data)); err != nil {
				return err
			}
		}
		for _, document := range group.Documents {
			found := render(text, map[string]string{"d": document})
			found.Document = &document
			if err := encoder.Encode(found); err != nil {
				return err
			}
		}
	}
	return nil
}

// templateText is the template of a case: a string, or an object that also holds an error text of
// our own.
func templateText(raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var object struct{ Template *string }
	if err := json.Unmarshal(raw, &object); err != nil || object.Template == nil {
		return "", errors.New("a case is neither a string nor an object with a template")
	}
	return *object.Template, nil
}

func render(text string, data any) result {
	found := result{Template: text}
	parsed, err := template.New("t").Option("missingkey=error").Funcs(functions).Parse(text)
	var output bytes.Buffer
	if err == nil {
		err = parsed.Execute(&output, data)
	}
	switch {
	case err != nil:
		found.Error = err.Error()
	case utf8.Valid(output.Bytes()):
		text := output.String()
		found.Output = &text
	default:
		found.OutputBytes = output.Bytes()
	}
	return found
}
