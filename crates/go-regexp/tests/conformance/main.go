// Command re2 prints what Go's regexp makes of patterns, texts and replacements.
//
// Without flags it reads cases.json from standard input and prints the golden file. With -random it
// makes up cases itself and prints them with the results.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// group is patterns with the texts and the replacements to try each on.
type group struct {
	About        string   `json:"about"`
	Patterns     []string `json:"patterns"`
	Texts        []string `json:"texts"`
	Bytes        [][]byte `json:"texts_base64"`
	Replacements []string `json:"replacements"`
}

// result is what one pattern gives.
type result struct {
	Pattern string   `json:"pattern"`
	Error   string   `json:"error,omitempty"`
	Names   []string `json:"names,omitempty"`
	Texts   []found  `json:"texts,omitempty"`
}

// found is what a pattern finds in a text. Positions count bytes.
type found struct {
	Text     []byte   `json:"text"`
	Matches  [][]int  `json:"matches"`
	FirstTwo [][]int  `json:"first_two"`
	Split    [][]byte `json:"split"`
	SplitTwo [][]byte `json:"split_two"`
	Replaced [][]byte `json:"replaced,omitempty"`
	Literal  [][]byte `json:"literal,omitempty"`
	Quoted   []byte   `json:"quoted"`
	// Replacements are printed for made-up cases only.
	Replacements []string `json:"replacements,omitempty"`
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
		texts := group.Texts
		for _, text := range group.Bytes {
			texts = append(texts, string(text))
		}
		for _, pattern := range group.Patterns {
			if err := encoder.Encode(try(pattern, texts, group.Replacements)); err != nil {
				return err
			}
		}
	}
	return nil
}

func try(pattern string, texts, replacements []string) result {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return result{Pattern: pattern, Error: strings.TrimPrefix(err.Error(), "error parsing regexp: ")}
	}
	all := result{Pattern: pattern, Names: re.SubexpNames()}
	for _, text := range texts {
		found := found{
			Text:     []byte(text),
			Matches:  re.FindAllStringSubmatchIndex(text, -1),
			FirstTwo: re.FindAllStringIndex(text, 2),
			Split:    asBytes(re.Split(text, -1)),
			SplitTwo: asBytes(re.Split(text, 2)),
			Quoted:   []byte(regexp.QuoteMeta(text)),
		}
		for _, replacement := range replacements {
			found.Replaced = append(found.Replaced, []byte(re.ReplaceAllString(text, replacement)))
			found.Literal = append(found.Literal, []byte(re.ReplaceAllLiteralString(text, replacement)))
		}
		all.Texts = append(all.Texts, found)
	}
	return all
}

func asBytes(texts []string) [][]byte {
	all := [][]byte{}
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}
