package main

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
)

// runRandom prints random YAML documents, and texts written as YAML.
func runRandom(encoder *json.Encoder, count int, seed uint64) error {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	for range count {
		template, document := `{{ printf "%#v" (fromYaml .d) }}`, g.document()
		switch g.IntN(5) {
		case 0:
			template, document = `{{ printf "%#v" (keysAndValues .d) }}`, g.flat()
		case 1:
			template = `{{ yamlJSON .d }}`
		case 2, 3:
			template, document = `{{ toYaml (fromYaml .d) }}`, g.json(0)
		}
		found := render(template, map[string]string{"d": document})
		found.Document = &document
		if err := encoder.Encode(found); err != nil {
			return err
		}
	}
	return nil
}

type generator struct{ *rand.Rand }

func (g *generator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

// json is a document in JSON, whose texts are what an emitter has to decide about.
func (g *generator) json(depth int) string {
	encode := func(text string) string {
		encoded, _ := json.Marshal(text)
		return string(encoded)
	}
	var items []string
	for range g.IntN(4) {
		item := encode(g.text())
		switch g.IntN(6) {
		case 0:
			item = g.pick("1", "-0.0", "1.5", "1e21", "123456789012", "true", "null", "1e-7", "18446744073709551615", "0.000001", "1234567.5")
		case 1, 2:
			if depth < 3 {
				item = g.json(depth + 1)
				if g.IntN(2) == 0 {
					item = "[" + item + "," + encode(g.text()) + "]"
				}
			}
		}
		items = append(items, encode(g.pick("a", "b", "key", g.text()))+":"+item)
	}
	return "{" + strings.Join(items, ",") + "}"
}

// text is a text that may need quotes, escapes, a block or folding.
func (g *generator) text() string {
	var b strings.Builder
	for range g.IntN(6) {
		b.WriteString(g.pick("a", "word", "word ", " ", "  ", "\n", "\n\n", "\t", ":", ": ", "#", " #", "-", "- ", "?", "'", "\"", "\\", "é", "\u00a0",
			"😀", "\u2028", "\r", "\u0007", "[", "]", "{", "}", ",", "&", "*", "!", "|", ">", "%", "@", "`", "yes", "no", "null", "~", "1", "0", "0x1f", "1e3", ".5", "1_000", "12:30",
			"2020-01-02", "<<", "=", "---", "...", "true", "\ufeff", "0o7", "+", "10", "9", strings.Repeat("long words ", 9), strings.Repeat("x", 70)))
	}
	return b.String()
}

// flat is a mapping of one level.
func (g *generator) flat() string {
	var b strings.Builder
	for range g.IntN(4) + 1 {
		b.WriteString(g.pick("a", "b", "c", "1", "1.5", "yes", "\"q\"", "'s'", "k k") + ":" + g.pick(" ", " ", " ", "  ", "\t") + g.scalar() + "\n")
	}
	return b.String()
}

// scalar is one in any notation.
func (g *generator) scalar() string {
	return g.pick("", "x", "text here", "1", "-1", "+1", "0x1F", "0o17", "017", "08", "1.5", "1.10", "1e3", "1e400", ".5", "5.", "-.5", "1_000", "0b101", "yes", "No", "on", "OFF", "y", "n",
		"true", "TRUE", "tRUE", "null", "~", "Null", ".inf", "-.Inf", ".nan", "12:30", "12:30:45", "2020-01-02", "2020-01-02T03:04:05Z", "2020-02-30", "\"a\\tb\\u00e9\\x41\"", "'it''s'",
		"\"\"", "''", "!!str 1", "!!int \"1\"", "!!float 1", "!!binary aGk=", "!!bool yes", "! 1", "!x 1", "!!null ''", "|\n  lit\n  eral\n", "|-\n  lit\n", "|+\n  lit\n\n", ">\n  fol\n  ded\n\n  x\n",
		"a b\n  continued", "a # comment", "a#b", "a:b", "http://x:8", "&x 1", "*x", "@", "`", "%", "18446744073709551615", "9223372036854775808", "-9223372036854775809", "1.7976931348623159e308",
		"123456789.123456789", "0.1", "16777217.0", "<<", "=", "-", "- x", "? x", "[", "]", "{", "}", ",", "\u0085x", "é😀", "[a, b]", "{a: b}", "\"a\n  b\"", "\"a\\\n  b\"", "'a\n\n  b'")
}

// document is one of some levels.
func (g *generator) document() string {
	var b strings.Builder
	b.WriteString(g.pick("", "", "", "", "---\n", "# comment\n", "%YAML 1.1\n---\n", "\n"))
	b.WriteString(g.block(0))
	b.WriteString(g.pick("", "", "", "", "...\n", "---\nx: y\n"))
	return b.String()
}

func (g *generator) block(level int) string {
	indent := strings.Repeat("  ", level)
	var b strings.Builder
	for range g.IntN(3) + 1 {
		switch g.IntN(8) {
		case 0, 1, 2:
			b.WriteString(indent + g.pick("a", "b", "\"c\"", "d e", "1", "~x", "on") + ": " + strings.ReplaceAll(g.scalar(), "\n", "\n"+indent) + g.pick("", "", "", " # c") + "\n")
		case 3:
			if level < 3 {
				b.WriteString(indent + g.pick("m", "n", "o") + ":" + g.pick("", "", " &x", " !!map", " !t") + "\n" + g.block(level+1))
			}
		case 4:
			b.WriteString(indent + "l:\n")
			for range g.IntN(3) + 1 {
				b.WriteString(indent + g.pick("", "  ") + "- " + strings.ReplaceAll(g.scalar(), "\n", "\n"+indent+"  ") + "\n")
			}
		case 5:
			b.WriteString(indent + "f: " + g.flow(0) + "\n")
		case 6:
			b.WriteString(indent + "base: &b {x: 1, y: 2}\n" + indent + "use:\n" + indent + "  <<: " + g.pick("*b", "[*b]", "{z: 1}", "1") + "\n" + indent + "  x: 3\n")
		default:
			b.WriteString(indent + "? " + g.pick("k", "1", "\"q\"", "[a]") + "\n" + indent + ": " + g.pick("v", "1") + "\n")
		}
	}
	return b.String()
}

func (g *generator) flow(depth int) string {
	if depth > 2 || g.IntN(3) == 0 {
		return g.pick("a", "1", "yes", "\"q\"", "'s'", "a b", "1.5", "null", "", "http://x", "a:b")
	}
	var items []string
	for range g.IntN(4) {
		items = append(items, g.flow(depth+1))
	}
	if g.IntN(2) == 0 {
		return "[" + strings.Join(items, g.pick(", ", ",")) + g.pick("", "", ",") + "]"
	}
	for i := range items {
		items[i] = g.pick("a", "b", "c", "\"d\"", "1") + ": " + items[i]
	}
	return "{" + strings.Join(items, ", ") + "}"
}
