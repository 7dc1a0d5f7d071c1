package main

import (
	"encoding/json"
	"strings"

	apimachinery "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func toYaml(value any) string {
	text, err := yaml.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

func fromYaml(text string) map[string]any {
	found := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &found); err != nil {
		found["Error"] = err.Error()
	}
	return found
}

// keysAndValues reads what a template of KeysAndValues renders. It is no function of ESO.
func keysAndValues(text string) (map[string]string, error) {
	found := map[string]string{}
	err := apimachinery.Unmarshal([]byte(text), &found)
	return found, err
}

// yamlJSON reads what is put into a generic target, and gives JSON. It is no function of ESO.
func yamlJSON(text string) (string, error) {
	var found any
	if err := apimachinery.Unmarshal([]byte(text), &found); err != nil {
		return "", err
	}
	var output strings.Builder
	encoder := json.NewEncoder(&output)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(found)
	return output.String(), err
}
