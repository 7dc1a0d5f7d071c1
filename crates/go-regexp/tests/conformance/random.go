package main

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
)

// atoms are what random patterns are made of; the last are rarely valid.
var atoms = []string{
	"a", "b", "c", "é", "k", "_", " ", "1", ".", "^", "$", `\b`, `\B`, `\A`, `\z`, `\d`, `\w`, `\s`, `\D`, `\W`,
	"[ab]", "[^a]", "[a-c]", `[\d_]`, "[[:alpha:]]", "[^[:^space:]]", `\pL`, `\PN`, `[\pN-]`, `\x61`, `\141`, `\.`,
	"{", "{,2}", "[a&&b]", "[--a]", "[[a]", "~~", "(?i)", "(?s)", "(?m)", "(?U)", "(?-i)", "|", "|", "",
	"]", "}", "-", `\Qa.\E`, `[\x{61}-\x{63}]`, "\uFFFD", ")", "(", "[", `\C`, `\1`, `\z*`, "*", "[b-a]", `\p{Foo}`,
}

var operators = []string{"*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{2,3}?", "{0}", "{,1}", "{2"}

var letters = []string{"a", "a", "b", "c", "A", "B", "é", "k", "\u212a", "_", " ", "1", "\n", ".", "{", "\xff", "\xe2\x82", "-"}

var replacements = []string{"<$0>", "$1x", "${1}x", "$$1", "${a[0]}", "$n-$2", "${n}", "$", "$é", "$01", "x"}

type maker struct {
	*rand.Rand
}

func runRandom(encoder *json.Encoder, count int, seed uint64) error {
	make := maker{rand.New(rand.NewPCG(seed, 0))}
	for range count {
		chosen := []string{make.one(replacements), make.one(replacements)}
		all := try(make.pattern(3), []string{make.text(), make.text()}, chosen)
		for i := range all.Texts {
			all.Texts[i].Replacements = chosen
		}
		if err := encoder.Encode(all); err != nil {
			return err
		}
	}
	return nil
}

func (m maker) one(from []string) string {
	return from[m.IntN(len(from))]
}

func (m maker) text() string {
	var text strings.Builder
	for range m.IntN(8) {
		text.WriteString(m.one(letters))
	}
	return text.String()
}

func (m maker) pattern(depth int) string {
	var pattern strings.Builder
	for range m.IntN(4) + 1 {
		switch {
		case depth > 0 && m.IntN(4) == 0:
			opening := m.one([]string{"(", "(", "(?:", "(?P<n>", "(?<n>", "(?i:", "(?s-m:"})
			pattern.WriteString(opening + m.pattern(depth-1) + ")")
		case m.IntN(3) > 0:
			pattern.WriteString(m.one(atoms[:len(atoms)-12]))
		default:
			pattern.WriteString(m.one([]string{"a", "b", "[ab]", "."}))
		}
		if m.IntN(3) == 0 {
			pattern.WriteString(m.one(operators))
		}
		if m.IntN(40) == 0 {
			pattern.WriteString(m.one(atoms))
		}
	}
	return pattern.String()
}
