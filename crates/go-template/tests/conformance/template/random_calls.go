package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
)

// callData is what random calls get.
const callData = `{"s":"Some text","e":"","u":"héllo ÄÖ","n":5,"neg":-3,"f":2.5,"yes":true,"no":false,"nil":null,
"list":["b",1,2.5,true,null,"b",["n",[]],{"k":"v"}],"none":[],"ints":{"$ints":[3,1,2,3]},"strings":{"$strings":["b","a","","a"]},
"empty":{},"map":{"b":2,"a":1,"c":null,"d":{"e":"deep"},"l":[1,2]},"other":{"a":"x","d":{"f":1},"l":[3],"z":0},"sm":{"$strings":{"y":"1","x":"2"}},
"bytes":{"$bytes":"aGn/"},"i64":{"$int64":3},"u8":{"$uint8":9},"raw":{"$text":"Yf/DqWI="}}`

// Operands of random calls by the kind of the parameter; an interface takes any. Numbers are small,
// since Go's functions know no bounds.
var operands = map[reflect.Kind][]string{
	reflect.String: {
		".s", ".e", ".u", ".raw", `""`, `"a"`, `"b"`, `"a b c"`, `" x "`, `"HelloWorld fooBar_baz"`, `"HTTP2xx-éA Ω"`, `"1"`, `"-7.9"`, `"0x1f"`,
		`"010"`, `"1.2.3"`, `"v2.0.0-rc.1+b"`, `"1.x"`, `">=1.2, <3 || ^0.1"`, `"1 - 2.3"`, `"YWJj"`, `"YWI"`, `"MFRGG==="`, `"6162"`, `"{\"a\":[1,{\"b\":null}]}"`, `"[1,"`,
		`"[\"\\u00e9<\",1e3]"`, `"http://u:p@h:80/p?q#f"`, `"mailto:x"`, `"//h/%41 b"`, `"/a/../b.c"`, `"./x//y/"`, `"2006-01-02"`, `"2020-02-29"`,
		`"15:04:05 MST"`, `"23:59:59 CET"`, `"Jan _2 06 3:04PM -07:00"`, `"Feb  3 21 4:05AM +02:00"`, `"1h2m3.5s"`, `"-90m"`, `"[a-c]+"`, `"(a)(b)?"`, `"a*"`, `"[x"`,
		`"$1-${2}"`, `","`, `"a,b,,c"`, `"é"`, `"\xff"`, `"<&>\n\t"`, `"k"`, `"x"`, `"string"`, `"slice"`, `"int"`, `"one two  three"`, `"ababab"`,
	},
	reflect.Int:     {"0", "1", "2", "3", "4", "5", "7", "12", "-1", "-3", "-10", ".n", ".neg"},
	reflect.Float64: {"0.0", "0.5", "1.5", "-1.0", ".f"},
	reflect.Bool:    {"true", "false", ".yes", ".no"},
	reflect.Map: {
		".map", ".other", ".empty", "(dict)", `(dict "a" 1 "k" (dict "b" 2))`, `(dict "a" "" "d" (dict "e" 0 "g" (list 1)))`, `(urlParse "http://h/p")`,
		`(fromJson "{\"x\":[1.5,\"y\"],\"d\":{\"e\":null}}")`,
	},
	reflect.Struct: {`(toDate "2006-01-02" "2020-03-01")`, `(toDate "2006-01-02 -0700" "2020-03-01 +0530")`, `(toDate "" "x")`},
	reflect.Interface: {
		".nil", ".list", ".none", ".ints", ".strings", ".sm", ".bytes", ".i64", ".u8", "nil", "1.5", "-0.5", "1e3", "2.5e-7", "2i", "(list)", `(list 1 "a" nil)`,
		`(list "x" (list 2))`, `(list "c" "a" "b" "a")`, `(list 3 1 2 3)`, `(split "," "x,y")`, `(until 4)`, `(semver "1.2.3-a+b")`, "(int64 90)", "(rest (list 1))",
	},
}

// operand is mostly one that fits the parameter.
func operand(g *rand.Rand, parameter reflect.Kind) string {
	kinds := []reflect.Kind{reflect.String, reflect.Int, reflect.Float64, reflect.Bool, reflect.Map, reflect.Struct, reflect.Interface}
	if parameter == reflect.Interface && g.IntN(2) == 0 || g.IntN(20) == 0 || operands[parameter] == nil {
		parameter = kinds[g.IntN(len(kinds))]
	}
	fitting := operands[parameter]
	return fitting[g.IntN(len(fitting))]
}

// excluded are functions whose result is random or depends on the time or on the order of a Go map,
// those that cost much, and those in which ours differs on purpose.
var excluded = []string{
	"ago", "date", "date_in_zone", "dateInZone", "durationRound", "htmlDate", "htmlDateInZone", "now", "keys", "values", "set", "fail",
	"deepCopy", "mustDeepCopy",
	"randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "uuidv4",
	"adler32sum", "bcrypt", "buildCustomCert", "decryptAES", "derivePassword", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey",
	"genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "htpasswd", "sha1sum", "sha256sum",
	"sha512sum",
}

// merging are functions that can put a map into itself, which Go prints for ever.
var merging = []string{"merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite"}

// mixedCalls are the names of the functions that random templates call: those of sprig, but none that takes or
// makes a time, of which templates print the insides by verbs that are not for texts.
func mixedCalls() []string {
	operands[reflect.Struct] = operands[reflect.String]
	return slices.DeleteFunc(callable(), func(name string) bool {
		lower := strings.ToLower(name)
		makesTime := strings.HasSuffix(lower, "todate") || strings.HasSuffix(strings.ReplaceAll(lower, "_", ""), "datemodify")
		return makesTime || slices.Contains(merging, name) || sprigFunctions()[name] == nil
	})
}

// callable are the names of the functions that are not excluded.
func callable() []string {
	var names []string
	for name := range functions {
		if !slices.Contains(excluded, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// runRandomCalls prints random calls of the functions of sprig with their results.
func runRandomCalls(encoder *json.Encoder, count int, seed uint64) error {
	names := callable()
	g := rand.New(rand.NewPCG(seed, 1))
	for range count {
		data, err := decode(json.RawMessage(callData))
		if err != nil {
			return err
		}
		call := randomCall(g, names[g.IntN(len(names))], 0)
		if g.IntN(4) == 0 {
			call += " | " + randomCall(g, names[g.IntN(len(names))], 1)
		}
		found := render(fmt.Sprintf("{{ %s | printf \"%%v %%[1]T\" }}", call), [2]string{}, data)
		found.Data = json.RawMessage(callData)
		if err := encoder.Encode(found); err != nil {
			return err
		}
	}
	return nil
}

// randomCall is a call with mostly as many arguments as the function takes; the last ones are piped.
func randomCall(g *rand.Rand, name string, piped int) string {
	function := reflect.TypeOf(functions[name])
	count := function.NumIn()
	if function.IsVariadic() {
		count += g.IntN(3) - 1
	}
	if g.IntN(50) == 0 {
		count++
	}
	call := name
	for i := range count - piped {
		kind := reflect.Interface
		switch last := function.NumIn() - 1; {
		case function.IsVariadic() && i >= last:
			kind = function.In(last).Elem().Kind()
		case i <= last:
			kind = function.In(i).Kind()
		}
		call += " " + operand(g, kind)
	}
	return call
}
