// The program that prints what gjson finds by the paths of the conformance cases.
module conformance

go 1.26.0

require github.com/tidwall/gjson v1.18.0

require (
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
)
