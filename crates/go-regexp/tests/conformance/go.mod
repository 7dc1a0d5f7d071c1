// The program that prints what Go finds by the regular expressions of the conformance cases.
module conformance

go 1.26.0
