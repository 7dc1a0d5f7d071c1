package main

import (
	"encoding/json"
	"math/rand/v2"
	"strings"

	"github.com/tidwall/gjson"
)

// runRandom prints random cases: mostly well-formed, some damaged. Cases on which the library
// panics are left out.
func runRandom(encoder *json.Encoder, count int, seed uint64) error {
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	for printed := 0; printed < count; {
		intact := g.document()
		document := g.damage(intact, documentBytes, 4)
		path := g.damage(g.pathInto(intact), pathBytes, 3)
		if strings.Contains(path, "sortKeys") {
			// NaN has no order in Go; in ours it has.
			document = strings.ReplaceAll(document, "NaN", "Inf")
		}
		found, ok := lookUp(document, path)
		if !ok || found.Kind == "" && g.chance(60) {
			continue
		}
		found.Document, found.PathBytes = []byte(document), []byte(path)
		if err := encoder.Encode(found); err != nil {
			return err
		}
		printed++
	}
	return nil
}

const (
	documentBytes = "{}[]\"\\:, \n\t0-+.eEnftuINi~ax\x00\x80\xff"
	pathBytes     = ".|#()[]{}@!*?\\:,\"~=<>% a0\xff"
)

type generator struct{ *rand.Rand }

func (g generator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

// damage changes some bytes of one text in four.
func (g generator) damage(text, alphabet string, most int) string {
	if !g.chance(25) {
		return text
	}
	bytes := []byte(text)
	for n := g.IntN(most) + 1; n > 0; n-- {
		at := g.IntN(len(bytes) + 1)
		c := alphabet[g.IntN(len(alphabet))]
		switch {
		case at == len(bytes) || g.chance(40):
			bytes = append(bytes[:at], append([]byte{c}, bytes[at:]...)...)
		case g.chance(50):
			bytes = append(bytes[:at], bytes[at+1:]...)
		case g.chance(80):
			bytes[at] = c
		default:
			bytes = bytes[:at]
		}
	}
	return string(bytes)
}

// document is mostly an object or array.
func (g generator) document() string {
	document := g.value(0)
	for retries := 3; retries > 0 && strings.IndexAny(document, "[{") < 0; retries-- {
		document = g.value(0)
	}
	return document
}

// pathInto is a path of which most steps lead somewhere in the document.
func (g generator) pathInto(document string) string {
	switch {
	case g.chance(8):
		return g.noise()
	case g.chance(20):
		return g.path(0)
	}
	at := gjson.Parse(document)
	var b strings.Builder
	for i, n := 0, 1+g.IntN(5); i < n; i++ {
		if at.Type != gjson.JSON && g.chance(90) {
			break
		}
		step := g.stepInto(at)
		if i > 0 {
			b.WriteString(g.pick(".", ".", ".", ".", "|"))
		}
		b.WriteString(step)
		if next := at.Get(step); next.Exists() {
			at = next
		}
	}
	return b.String()
}

// noise is bytes that mean something in a path, in no order.
func (g generator) noise() string {
	const meaningful = pathBytes + pathBytes + "abc012"
	bytes := make([]byte, 1+g.IntN(14))
	for i := range bytes {
		bytes[i] = meaningful[g.IntN(len(meaningful))]
	}
	return string(bytes)
}

func (g generator) stepInto(at gjson.Result) string {
	var inside []string
	at.ForEach(func(key, _ gjson.Result) bool {
		inside = append(inside, gjson.Escape(key.String()))
		return true
	})
	switch {
	case len(inside) == 0 || g.chance(25):
		return g.step(0)
	case at.IsArray() && g.chance(60):
		return g.pick("#", "#"+g.query(1), "#"+g.query(1)+"#", "#"+g.query(1)+"#", "@reverse", "@"+g.modifier())
	default:
		return inside[g.IntN(len(inside))]
	}
}

func (g generator) blank() string { return g.pick("", "", "", "", " ", "\n  ", "\t") }

func (g generator) key() string {
	return g.pick("a", "b", "c", "ab", "a.b", "x*", "", "0", "1", "é", "日本", `a\"b`, `\u0061`, `a\\b`, "#", "@this", "first", "last", "nets")
}

func (g generator) value(depth int) string {
	choice := g.IntN(10)
	if depth > 4 {
		choice %= 6
	}
	switch choice {
	case 0, 1:
		return `"` + g.pick("a", "b", "", "abc", "Murphy", "true", "T", "0", "f", "é", "日本語", `q\"q`, `\u00e9`,
			`\ud83d\ude00`, `\ud83d`, `\u12`, `\x`, "{", "]", `{\"a\":1}`, `[1,2]`, "a\x01b", `\\`, "<&>", "\u2028", "\xff", "5", "a*b") + `"`
	case 2, 3:
		return g.pick("0", "1", "2", "-1", "10", "1.5", "-0.0", "1e3", "1e21", "1.10", "123456789012345678901", "0.1", "1e-7", "1e400", "NaN", "nan", "Inf", "-inf", "+5", "1_0.5", "0x1p4", "1e", "-", "3.0", "100")
	case 4:
		return g.pick("true", "false", "null")
	case 5:
		return g.pick("true", "false", "null", "nul", "tru", "{}", "[]", "[ ]", "{ }")
	case 6, 7:
		return g.list(depth, "{", "}", func() string { return `"` + g.key() + `"` + g.blank() + ":" + g.blank() + g.value(depth+1) })
	default:
		return g.list(depth, "[", "]", func() string { return g.value(depth + 1) })
	}
}

func (g generator) list(depth int, open, closing string, item func() string) string {
	var b strings.Builder
	b.WriteString(open)
	for i, n := 0, g.IntN(5); i < n; i++ {
		if i > 0 {
			b.WriteString(g.blank() + "," + g.blank())
		}
		b.WriteString(item())
	}
	b.WriteString(g.blank() + closing)
	return g.blank() + b.String()
}

func (g generator) path(depth int) string {
	var b strings.Builder
	if depth == 0 && g.chance(5) {
		b.WriteString("..")
	}
	for i, n := 0, 1+g.IntN(4); i < n; i++ {
		if i > 0 {
			b.WriteString(g.pick(".", ".", ".", "|"))
		}
		b.WriteString(g.step(depth))
	}
	return b.String()
}

func (g generator) step(depth int) string {
	choice := g.IntN(20)
	if depth > 2 && choice > 12 {
		choice %= 12
	}
	switch choice {
	case 0, 1, 2, 3:
		return g.pick("a", "b", "c", "ab", `a\.b`, "", "é", "first", "last", "nets", `a\"b`, `a\\\\b`, `x\*`, `\#`)
	case 4, 5, 6:
		return g.pick("0", "1", "2", "00", "18446744073709551616")
	case 7, 8:
		return g.pick("*", "a*", "?", "*b", "a?b", "*.*", "x*", `?\*`, "**", "*a*", `*\`)
	case 9, 10, 11:
		return "#"
	case 12:
		return "@" + g.modifier()
	case 13, 14, 15:
		return "#" + g.query(depth) + g.pick("", "#", "#")
	case 16:
		return "!" + g.pick("true", "null", "TRUE", "NaN", "Null", `"x"`, "5", "1.5", `{"a":[1]}`, "[1,2]", "foo")
	case 17:
		return "@" + g.modifier()
	case 18:
		return "[" + g.selectors(depth, false) + "]"
	default:
		return "{" + g.selectors(depth, true) + "}"
	}
}

func (g generator) selectors(depth int, named bool) string {
	var all []string
	for n := g.IntN(3) + 1; n > 0; n-- {
		name := ""
		if named && g.chance(50) {
			name = g.pick("n", `"n"`, `"n\"m"`, `"bad`, "<", `"\u0061"`) + ":"
		}
		all = append(all, name+g.path(depth+1))
	}
	return strings.Join(all, g.pick(",", ",", ", "))
}

func (g generator) query(depth int) string {
	left := g.pick("", "", "a", "b", "first", g.path(depth+1))
	right := ""
	if g.chance(85) {
		right = g.pick("=", "==", "!=", "<", "<=", ">", ">=", "%", "!%", "!", "=<") + g.pick("", "", " ") +
			g.pick("1", "0", `"a"`, "a", `"Murphy"`, `"*a*"`, "a*", `"?"`, "true", "false", "null", "~true", "~false", "~null", "~*", "~x", `"q\"q"`, "1.5", `"\\*"`, "")
	}
	return g.pick("(", "(", "(", "[") + left + right + g.pick(")", ")", ")", "]")
}

func (g generator) modifier() string {
	return g.pick("this", "reverse", "ugly", "pretty", `pretty:{"sortKeys":true}`, `pretty:{"indent":"\t","prefix":" "}`,
		`pretty:{"width":0}`, `pretty:{"width":-1,"sortKeys":true}`, `pretty:{"width":"20"}`, "valid", "flatten", `flatten:{"deep":true}`, "join",
		`join:{"preserve":true}`, "keys", "values", "tostr", "fromstr", "group", "dig:a", "dig:#", "dig:0", "dig:*", "dig", "nope", "this:", "this:x",
		`this:"y"`, `reverse:[1]`)
}
