// Command template prints what Go's text/template makes of templates, run as ESO runs it.
//
// It reads cases from standard input and prints the golden file. With -random it makes up templates
// and data itself and prints them with the results. With -sprig templates have sprig's functions, and
// what is made up is calls of them; with -mixed it is templates with such calls in them.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"text/template"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
)

// group is templates that get the same data.
type group struct {
	About      string            `json:"about"`
	Data       json.RawMessage   `json:"data"`
	Delimiters [2]string         `json:"delimiters"`
	Templates  []json.RawMessage `json:"templates"`
}

// result is what becomes of one template.
type result struct {
	Template    string          `json:"template"`
	Data        json.RawMessage `json:"data,omitempty"`
	Output      *string         `json:"output,omitempty"`
	OutputBytes []byte          `json:"output_base64,omitempty"`
	Error       string          `json:"error,omitempty"`
}

func main() {
	random := flag.Int("random", 0, "how many random cases to print")
	seed := flag.Uint64("seed", 1, "the seed of the random cases")
	withSprig := flag.Bool("sprig", false, "give templates the functions of sprig")
	mixed := flag.Bool("mixed", false, "give templates the functions of sprig besides those of the tests")
	flag.Parse()
	if *withSprig {
		functions = sprigFunctions()
	}
	if *mixed {
		maps.Copy(functions, sprigFunctions())
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	run := runCases
	switch {
	case *random > 0 && *withSprig:
		run = func(encoder *json.Encoder) error { return runRandomCalls(encoder, *random, *seed) }
	case *random > 0 && *mixed:
		run = func(encoder *json.Encoder) error { return runRandom(encoder, *random, *seed, mixedCalls()) }
	case *random > 0:
		run = func(encoder *json.Encoder) error { return runRandom(encoder, *random, *seed, nil) }
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
		for _, raw := range group.Templates {
			text, err := templateText(raw)
			if err != nil {
				return err
			}
			data, err := decode(group.Data)
			if err != nil {
				return fmt.Errorf("%s: %w", group.About, err)
			}
			if err := encoder.Encode(render(text, group.Delimiters, data)); err != nil {
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

func render(text string, delimiters [2]string, data any) result {
	found := result{Template: text}
	parsed, err := template.New("t").
		Option("missingkey=error").
		Funcs(functions).
		Delims(delimiters[0], delimiters[1]).
		Parse(text)
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

// functions give values back, so that what a parameter takes can be seen, and make lists and maps.
var functions = template.FuncMap{
	"takeAny":     func(v any) any { return v },
	"takeBool":    func(v bool) bool { return v },
	"takeBytes":   func(v []byte) []byte { return v },
	"takeFloat":   func(v float64) float64 { return v },
	"takeInt":     func(v int) int { return v },
	"takeInt32":   func(v int32) int32 { return v },
	"takeInt64":   func(v int64) int64 { return v },
	"takeUint8":   func(v uint8) uint8 { return v },
	"takeUint64":  func(v uint64) uint64 { return v },
	"takeString":  func(v string) string { return v },
	"takeList":    func(v []any) []any { return v },
	"takeStrings": func(v []string) []string { return v },
	"takeMap":     func(v map[string]any) map[string]any { return v },
	"takeMany":    func(first string, more ...int) int { return len(first) + len(more) },
	"takeTwo":     func(a string, b int) string { return a },
	"nothing":     func() any { return nil },
	"failing":     func() (string, error) { return "", errors.New("it failed") },
	"list":        func(items ...any) []any { return items },
	"set":         func(m map[string]any, key string, value any) map[string]any { m[key] = value; return m },
}

// sprigFunctions are those that ESO offers. It has a copy of sprig, a few commits after the last
// release, without what looks outside of the template.
func sprigFunctions() template.FuncMap {
	offered := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(offered, name)
	}
	// Not yet in the release.
	offered["hexdec"] = func(digits string) string {
		decoded, err := hex.DecodeString(digits)
		if err != nil {
			return err.Error()
		}
		return string(decoded)
	}
	return offered
}
