package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// randomData is what random templates get.
const randomData = `{"s":"text","t":"<a> & \"b\"","e":"","n":5,"m":-7,"z":0,"f":2.5,"yes":true,"no":false,"nil":null,
"list":["x",1,2.5,true,null,["n",[]],{"k":"v"}],"none":[],"ints":{"$ints":[3,1,2]},"strings":{"$strings":["b","a",""]},
"map":{"b":2,"a":1,"c":null,"d":{"e":"deep"}},"sm":{"$strings":{"y":"1","x":"2"}},"bytes":{"$bytes":"aGn/"},"i64":{"$int64":3},
"u8":{"$uint8":9},"u64":{"$uint64":2},"raw":{"$text":"Yf/DqQ=="}}`

// runRandom prints random cases, in which these functions are called. Most templates are well-formed, some
// are damaged.
func runRandom(encoder *json.Encoder, count int, seed uint64, calls []string) error {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), calls: calls}
	raw, err := dataOf(calls)
	if err != nil {
		return err
	}
	for range count {
		g.variables, g.wild = []string{"$"}, g.chance(30)
		text := g.damage(g.body(0) + g.definitions())
		data, err := decode(raw)
		if err != nil {
			return err
		}
		found := render(text, [2]string{}, data)
		found.Data = raw
		if err := encoder.Encode(found); err != nil {
			return err
		}
	}
	return nil
}

// dataOf is the data of random templates, and with calls that of random calls, too.
func dataOf(calls []string) (json.RawMessage, error) {
	if calls == nil {
		return json.RawMessage(randomData), nil
	}
	var data map[string]json.RawMessage
	for _, part := range []string{randomData, callData} {
		if err := json.Unmarshal([]byte(part), &data); err != nil {
			return nil, err
		}
	}
	return json.Marshal(data)
}

type generator struct {
	*rand.Rand
	// calls are the functions of random calls.
	calls     []string
	variables []string
	ranges    int
	// wild makes what is likely an error, too.
	wild bool
	// defining is the definition that is being made.
	defining string
}

func (g *generator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// damage changes a byte or two of one template in eight.
func (g *generator) damage(text string) string {
	const alphabet = "{}().|$=:,\"'`-+ \n/*aeixend0159#%\xff"
	if !g.wild || !g.chance(40) {
		return text
	}
	bytes := []byte(text)
	for range g.IntN(2) + 1 {
		at := g.IntN(len(bytes) + 1)
		c := alphabet[g.IntN(len(alphabet))]
		switch {
		case at == len(bytes) || g.chance(40):
			bytes = append(bytes[:at], append([]byte{c}, bytes[at:]...)...)
		case g.chance(50):
			bytes = append(bytes[:at], bytes[at+1:]...)
		default:
			bytes[at] = c
		}
	}
	return strings.ToValidUTF8(string(bytes), "?")
}

func (g *generator) definitions() string {
	var b strings.Builder
	b.WriteString(`{{define "leaf"}}<{{.}}>{{end}}`)
	for _, name := range []string{"one", "two"} {
		if !g.wild || g.chance(60) {
			outer, ranges := g.variables, g.ranges
			g.variables, g.ranges, g.defining = []string{"$"}, 0, name
			fmt.Fprintf(&b, "{{define %q}}%s{{end}}", name, g.body(3))
			g.variables, g.ranges, g.defining = outer, ranges, ""
		}
	}
	return b.String()
}

func (g *generator) body(depth int) string {
	var b strings.Builder
	for range g.IntN(3) + 1 {
		b.WriteString(g.node(depth))
	}
	return b.String()
}

func (g *generator) open() string { return g.pick("{{", "{{", "{{ ", "{{- ", "{{\n") }

func (g *generator) close() string { return g.pick("}}", "}}", " }}", " -}}", "\n}}") }

func (g *generator) action(inside string) string { return g.open() + inside + g.close() }

func (g *generator) node(depth int) string {
	choice := g.IntN(16)
	if depth > 3 {
		choice = g.IntN(9)
	}
	mark := len(g.variables)
	switch choice {
	case 0:
		return g.pick("text ", "  \n ", "a\tb", "é", "}}", "{ ", " x ")
	case 1, 2, 3, 4, 5:
		return g.action(g.pipeline(0))
	case 6:
		return g.pick("{{/* c */}}", "{{- /* c\n */ -}}")
	case 7:
		return g.declaration()
	case 8:
		if g.ranges > 0 {
			return g.action(g.pick("break", "continue"))
		}
		// A definition calls none that calls it, or rendering might take for ever.
		callee := g.pick(`"one"`, `"two"`, "`one`")
		switch g.defining {
		case "one":
			callee = g.pick(`"two"`, "`leaf`")
		case "two":
			callee = `"leaf"`
		}
		return g.action("template " + callee + g.pick("", " .", " "+g.pipeline(1)))
	case 9, 10, 11:
		text := g.action("if "+g.pipeline(0)) + g.body(depth+1)
		if g.chance(30) {
			text += g.action("else if "+g.pipeline(0)) + g.body(depth+1)
		}
		return text + g.otherwise(depth, mark)
	case 12, 13:
		keyword := "with " + g.maybeBound(g.pipeline(0))
		return g.action(keyword) + g.body(depth+1) + g.otherwise(depth, mark)
	default:
		text := g.rangeAction()
		g.ranges++
		text += g.body(depth + 1)
		g.ranges--
		return text + g.otherwise(depth, mark)
	}
}

func (g *generator) otherwise(depth, mark int) string {
	text := ""
	if g.chance(30) {
		text = g.action("else") + g.body(depth+1)
	}
	g.variables = g.variables[:mark]
	return text + g.action("end")
}

func (g *generator) declaration() string {
	if g.chance(40) && len(g.variables) > 1 {
		return g.action(g.variables[g.IntN(len(g.variables))] + " = " + g.pipeline(0))
	}
	return g.action(g.newVariable() + " := " + g.pipeline(0))
}

func (g *generator) maybeBound(pipeline string) string {
	if g.chance(25) {
		return g.newVariable() + " := " + pipeline
	}
	return pipeline
}

func (g *generator) newVariable() string {
	name := g.pick("$x", "$y", "$z")
	g.variables = append(g.variables, name)
	return name
}

func (g *generator) rangeAction() string {
	over := g.pick(".list", ".ints", ".strings", ".map", ".sm", ".bytes", ".none", "3", "0", ".n", ".i64", ".u64", "$.list", "$.map", "(list "+g.operand(1)+" "+g.operand(1)+")", ".s", ".f", ".nil")
	if !g.wild {
		over = g.pick(".list", ".ints", ".strings", ".map", ".sm", ".bytes", ".none", "3", "0", ".n", ".i64", ".u64", "$.list", "(list "+g.operand(1)+")", ".nil")
	}
	over = g.rooted(over)
	switch g.IntN(4) {
	case 0:
		return g.action("range " + over)
	case 1:
		return g.action("range " + g.newVariable() + " := " + over)
	case 2:
		first := g.newVariable()
		return g.action("range " + first + ", " + g.newVariable() + " := " + over)
	default:
		return g.action("range " + g.variables[len(g.variables)-1] + " = " + over)
	}
}

func (g *generator) pipeline(depth int) string {
	text := g.command(depth)
	for g.chance(25) {
		text += g.pick(" | ", "|") + g.piped(depth)
	}
	return text
}

// rooted makes a field one of the data, whatever the dot is, unless errors are wanted.
func (g *generator) rooted(operand string) string {
	if g.wild || !strings.HasPrefix(operand, ".") || operand == "." || operand[1] <= '9' || g.defining != "" {
		return operand
	}
	return "$" + operand
}

func (g *generator) piped(depth int) string {
	if g.calls != nil && g.chance(50) {
		return g.call(1)
	}
	if !g.wild {
		return g.pick("print", "html", "js", "urlquery", "not", "printf "+g.format(), "list "+g.operand(depth), "and "+g.operand(depth), "or "+g.operand(depth), "takeAny", "println")
	}
	return g.pick("len", "print", "html", "js", "urlquery", "not", "printf "+g.format(), "index "+g.operand(depth), "eq "+g.operand(depth),
		"list "+g.operand(depth), "and "+g.operand(depth), "or "+g.operand(depth), "takeString", "takeInt", "takeAny", ".x", "slice "+g.operand(depth), "println")
}

// call is a random call whose last arguments are piped. Its fields are those of the data, whatever the dot is.
func (g *generator) call(piped int) string {
	words := strings.Split(randomCall(g.Rand, g.calls[g.IntN(len(g.calls))], piped), " ")
	for i, word := range words {
		words[i] = g.rooted(word)
	}
	return strings.Join(words, " ")
}

func (g *generator) command(depth int) string {
	if depth > 2 {
		return g.operand(depth)
	}
	o := func() string { return g.operand(depth) }
	if g.calls != nil && g.chance(40) {
		return g.call(0)
	}
	if !g.wild {
		return g.tameCommand(depth)
	}
	switch g.IntN(22) {
	case 0, 1, 2, 3, 4, 5:
		return o()
	case 6:
		return "printf " + g.format() + " " + o() + " " + o()
	case 7:
		return "print " + o() + " " + o()
	case 8:
		return g.pick("eq", "ne", "lt", "le", "gt", "ge") + " " + o() + " " + o()
	case 9:
		return "index " + g.pick(".list", ".map", ".sm", ".ints", ".s", ".bytes", o()) + " " + g.pick("0", "1", `"a"`, o())
	case 10:
		return "len " + o()
	case 11:
		return g.pick("and", "or") + " " + o() + " " + o()
	case 12:
		return "not " + o()
	case 13:
		return "slice " + g.pick(".s", ".list", ".ints", ".bytes", ".raw", o()) + " " + g.pick("0", "1", "2") + g.pick("", " 1", " 2")
	case 14:
		return "list " + o() + " " + o()
	case 15:
		return g.pick("html", "js", "urlquery", "println") + " " + o()
	case 16:
		return g.pick("takeInt", "takeInt64", "takeUint8", "takeUint64", "takeFloat", "takeString", "takeBool", "takeList", "takeStrings", "takeMap", "takeAny", "takeBytes") + " " + o()
	case 17:
		return "takeMany " + o() + " " + g.number() + " " + o()
	case 18:
		return "printf " + g.format() + " " + o()
	case 19:
		return "set .map " + g.pick(`"k"`, `"a"`, o()) + " " + g.pick(`"v"`, ".s", "nil", g.number())
	case 20:
		return o() + " " + o()
	default:
		return g.pick("nothing", "failing", "call "+o(), "print", "and", "eq 1", "printf")
	}
}

// tameCommand is a command that is mostly without an error.
func (g *generator) tameCommand(depth int) string {
	o := func() string { return g.operand(depth) }
	text := func() string { return g.rooted(g.pick(".s", ".t", ".e", ".raw", ".sm.x", `"a"`, `"<&>"`, "`raw\"`")) }
	number := func() string { return g.rooted(g.pick(".n", ".m", ".z", ".i64", ".u8", ".u64", "1", "-1", "0", "'a'")) }
	switch g.IntN(16) {
	case 0, 1, 2, 3:
		return o()
	case 4, 5, 6:
		return "printf " + g.format() + " " + o() + " " + o() + " " + o()
	case 7:
		return g.pick("print", "println", "list", "html", "js", "urlquery", "and", "or") + " " + o() + " " + o()
	case 8:
		return g.pick("eq", "ne", "lt", "le", "gt", "ge") + " " + text() + " " + text()
	case 9:
		return g.pick("eq", "ne", "lt", "le", "gt", "ge") + " " + number() + " " + number()
	case 10:
		return "len " + g.pick(text(), g.rooted(".list"), g.rooted(".map"), g.rooted(".bytes"))
	case 11:
		return "index " + g.pick(g.rooted(".ints")+" 1", g.rooted(".map")+` "a"`, g.rooted(".sm")+` "q"`, g.rooted(".list")+" 6", g.rooted(".s")+" 2", g.rooted(".list")+" 5 1")
	case 12:
		return "slice " + g.rooted(g.pick(".s", ".list", ".ints", ".bytes", ".raw")) + " " + g.pick("0", "1", "1 2", "0 1")
	case 13:
		return "takeString " + text()
	case 14:
		return "set " + g.rooted(".map") + " " + text() + " " + g.pick(text(), number())
	default:
		return "not " + o()
	}
}

func (g *generator) operand(depth int) string {
	if !g.wild {
		return g.tameOperand(depth)
	}
	switch g.IntN(14) {
	case 0, 1, 2, 3:
		return g.pick("", "", "", "$") + g.pick(".s", ".t", ".e", ".n", ".m", ".z", ".f", ".yes", ".no", ".nil", ".list", ".none", ".ints", ".strings",
			".map", ".map.a", ".map.c", ".map.d.e", ".sm", ".sm.x", ".bytes", ".i64", ".u8", ".u64", ".raw", ".missing", ".s.x")
	case 4:
		return g.variables[g.IntN(len(g.variables))] + g.pick("", "", "", ".s", ".a")
	case 5, 6:
		return g.number()
	case 7, 8:
		return g.pick(`"a"`, `""`, `"x y"`, "`raw\"`", `"\u00e9\t"`, `"%d"`, `"<&>"`, `"\xff"`)
	case 9:
		return g.pick("true", "false", "nil")
	case 10:
		return "."
	case 11:
		return g.pick("'a'", `'\n'`, "'é'")
	default:
		if depth > 2 {
			return g.number()
		}
		return "(" + g.pipeline(depth+1) + ")" + g.pick("", "", "", ".a", ".x.y")
	}
}

func (g *generator) tameOperand(depth int) string {
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return g.rooted(g.pick(".s", ".t", ".e", ".n", ".m", ".z", ".f", ".yes", ".no", ".nil", ".list", ".none", ".ints", ".strings",
			".map", ".map.a", ".map.c", ".map.d.e", ".sm", ".sm.x", ".bytes", ".i64", ".u8", ".u64", ".raw"))
	case 4:
		return g.variables[g.IntN(len(g.variables))]
	case 5, 6:
		return g.number()
	case 7, 8:
		return g.pick(`"a"`, `""`, `"x y"`, "`raw\"`", `"\u00e9\t"`, `"<&>"`, `"\xff"`, "true", "false", "'a'", "'é'")
	case 9:
		return "."
	default:
		if depth > 1 {
			return g.number()
		}
		return "(" + g.pipeline(depth+1) + ")"
	}
}

func (g *generator) number() string {
	// Integers are small, since a range may be over any of them.
	switch g.IntN(4) {
	case 0:
		return strconv.Itoa(g.IntN(24) - 12)
	case 1:
		return strconv.FormatFloat(g.NormFloat64()*1000, g.pick("f", "e", "g")[0], g.IntN(12)-1, 64)
	default:
		return g.pick("0", "1", "2", "3", "-1", "1.5", "0x10", "0b11", "0o17", "017", "1_0", "1e3", "1e-7", "1e21", "2i", "1+2i", "1.0", ".5", "1e100", "0x1p-2", g.pick("7", "08"))
	}
}

func (g *generator) format() string {
	var b strings.Builder
	for range g.IntN(3) + 1 {
		b.WriteString(g.pick("", "a", " ", "%%"))
		b.WriteString("%" + g.pick("", "", "", "-", "+", "#", "0", " ", "+-", "#0", "# ", "-0") + g.pick("", "", "", "1", "6", "12", "*", "[1]", "[2]") +
			g.pick("", "", "", ".0", ".1", ".3", ".12", ".", ".*") + g.pick("v", "v", "v", "d", "d", "s", "s", "q", "x", "X", "t", "T", "c", "U", "b", "o", "O", "e", "E", "f", "F", "g", "G", "w", "z", "!"))
	}
	return strconv.Quote(b.String())
}
