package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// decodeData reads data: JSON, in which an object with one key that begins with a dollar sign is a
// value of another type, or the content of a file.
func decodeData(raw json.RawMessage) (any, error) {
	if raw == nil {
		return map[string]any{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return nil, err
	}
	return typed(decoded)
}

func typed(decoded any) (any, error) {
	switch value := decoded.(type) {
	case json.Number:
		if number, err := strconv.Atoi(value.String()); err == nil {
			return number, nil
		}
		return value.Float64()
	case []any:
		for i := range value {
			item, err := typed(value[i])
			if err != nil {
				return nil, err
			}
			value[i] = item
		}
		return value, nil
	case map[string]any:
		if len(value) == 1 {
			for tag, inner := range value {
				if tag[0] == '$' {
					return tagged(tag, fmt.Sprint(inner))
				}
			}
		}
		for key := range value {
			item, err := typed(value[key])
			if err != nil {
				return nil, err
			}
			value[key] = item
		}
		return value, nil
	default:
		return value, nil
	}
}

func tagged(tag, inner string) (any, error) {
	switch tag {
	case "$int64":
		return strconv.ParseInt(inner, 10, 64)
	case "$uint64":
		return strconv.ParseUint(inner, 10, 64)
	case "$float":
		return strconv.ParseFloat(inner, 64)
	case "$bytes":
		return base64.StdEncoding.DecodeString(inner)
	case "$text":
		bytes, err := base64.StdEncoding.DecodeString(inner)
		return string(bytes), err
	case "$file":
		bytes, err := os.ReadFile(filepath.Join("eso", "testdata", inner))
		return string(bytes), err
	case "$base64":
		bytes, err := os.ReadFile(filepath.Join("eso", "testdata", inner))
		return base64.StdEncoding.EncodeToString(bytes), err
	default:
		return nil, fmt.Errorf("no such type: %s", tag)
	}
}
