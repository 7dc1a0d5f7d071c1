// kstatus prints, for each JSON object on its input, a line with what kstatus makes of it: Flux, `kubectl apply --wait` of
// cli-utils and Helm decide by it whether an object is ready.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	objects := json.NewDecoder(os.Stdin)
	for {
		var object unstructured.Unstructured
		err := objects.Decode(&object)
		if errors.Is(err, io.EOF) {
			return
		}
		check(err)
		result, err := status.Compute(&object)
		check(err)
		fmt.Println(result.Status)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
